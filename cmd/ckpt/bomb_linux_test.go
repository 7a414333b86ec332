package main

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"

	"github.com/klauspost/compress/snappy"

	"github.com/ckpt-dev/ckpt/format"
	"github.com/ckpt-dev/ckpt/format/tensorbundle"
	"github.com/ckpt-dev/ckpt/internal/crc32c"
	"github.com/ckpt-dev/ckpt/internal/torture"
	"github.com/ckpt-dev/ckpt/tensor"
	"github.com/ckpt-dev/ckpt/trackable"
)

// bombBytes is about how large a bomb is.
func bombBytes() int { return torture.Times(512<<10, 8<<20) }

// bombTable makes LevelDB tables as no writer does.
type bombTable struct{ file, index []byte }

func bombEntry(b []byte, shared int, unshared, value string) []byte {
	b = binary.AppendUvarint(b, uint64(shared))
	b = binary.AppendUvarint(b, uint64(len(unshared)))
	b = binary.AppendUvarint(b, uint64(len(value)))
	return append(append(b, unshared...), value...)
}

var oneRestart = []byte{0, 0, 0, 0, 1, 0, 0, 0}

// block adds a block and returns its handle.
func (c *bombTable) block(kind byte, stored []byte) string {
	h := binary.AppendUvarint(nil, uint64(len(c.file)))
	h = binary.AppendUvarint(h, uint64(len(stored)))
	stored = append(bytes.Clone(stored), kind)
	c.file = append(c.file, stored...)
	c.file = binary.LittleEndian.AppendUint32(c.file, crc32c.Mask(crc32c.Update(0, stored)))
	return string(h)
}

// data adds a data block whose last key is last.
func (c *bombTable) data(last string, kind byte, stored []byte) {
	c.index = bombEntry(c.index, 0, last, c.block(kind, stored))
}

func (c *bombTable) bytes() []byte {
	meta := c.block(0, oneRestart)
	index := c.block(0, append(c.index, oneRestart...))
	footer := make([]byte, 40)
	copy(footer, meta+index)
	return append(append(c.file, footer...), "\x57\xfb\x80\x8b\x24\x75\x47\xdb"...)
}

// bombHeader is the value of the empty key: one shard.
const bombHeader = "\x08\x01\x1a\x02\x08\x01"

// tinyEntries is an index of as many tensors without elements as there is room
// for, in blocks of that kind, as stored turns them into.
func tinyEntries(kind byte, stored func([]byte) []byte) func() []byte {
	return func() []byte {
		var c bombTable
		for n := 0; len(c.file) < bombBytes(); {
			var b []byte
			if n == 0 {
				b = bombEntry(nil, 0, "", bombHeader)
			}
			last := ""
			for k := 0; len(b) < 200<<10; k, n = k+1, n+1 {
				key, shared := fmt.Sprintf("%08x", n), 0
				for shared < len(last) && last[shared] == key[shared] {
					shared++
				}
				b = bombEntry(b, shared, key[shared:], "\x08\x01\x12\x02\x12\x00")
				last = key
			}
			c.data(last, kind, stored(append(b, oneRestart...)))
		}
		return c.bytes()
	}
}

// bombString makes a checkpoint of one string tensor.
func bombString(name string, elems func() []string) func(prefix string) {
	return func(prefix string) {
		f, err := os.Create(tensorbundle.DataName(prefix, 0, 1))
		check(err)
		list := elems()
		shape := tensor.Shape{int64(len(list))}
		if len(list) == 1 {
			shape = nil
		}
		w := tensorbundle.NewWriter(f, 0)
		check(w.Add(format.Named{Name: name, Tensor: must(tensor.FromStrings(shape, list))}))
		check(f.Close())
		writeIndex(prefix, []tensorbundle.Shard{w.Shard()})
	}
}

func bombIndex(make func() []byte) func(prefix string) {
	return func(prefix string) {
		check(os.WriteFile(tensorbundle.DataName(prefix, 0, 1), nil, 0o666))
		check(os.WriteFile(tensorbundle.IndexName(prefix), make(), 0o666))
	}
}

func bombBeside(name string, text func() string) func(prefix string) {
	return func(prefix string) {
		bombString("v", func() []string { return []string{"x"} })(prefix)
		check(os.WriteFile(filepath.Join(filepath.Dir(prefix), name), []byte(text()), 0o666))
	}
}

// bombGraph makes an object graph of copies of a node.
func bombGraph(node string) func(prefix string) {
	return bombString(trackable.GraphKey, func() []string {
		return []string{strings.Repeat(node, bombBytes()/len(node))}
	})
}

func raw(b []byte) []byte { return b }

func zip(b []byte) []byte { return snappy.Encode(nil, b) }

// bombs are files made to take more memory than they have bytes.
var bombs = []struct {
	name string
	make func(prefix string)
}{
	{"tiny entries", bombIndex(tinyEntries(0, raw))},
	{"tiny entries, compressed", bombIndex(tinyEntries(1, zip))},
	{"zeros, compressed", bombIndex(func() []byte {
		var c bombTable
		for i := range 100 {
			c.data(fmt.Sprint(100+i), 1, snappy.Encode(nil, make([]byte, bombBytes())))
		}
		return c.bytes()
	})},
	{"a compressed block that claims 4 GiB", bombIndex(func() []byte {
		var c bombTable
		c.data("z", 1, append(binary.AppendUvarint(nil, 1<<32-1), make([]byte, bombBytes())...))
		return c.bytes()
	})},
	{"empty strings", bombString("v", func() []string { return make([]string, bombBytes()) })},
	{"empty nodes", bombGraph("\x0a\x00")},
	{"nodes with empty children", bombGraph("\x0a\x02\x0a\x00")},
	{"a node of empty children", bombString(trackable.GraphKey, func() []string {
		inner := strings.Repeat("\x0a\x00", bombBytes()/2)
		return []string{"\x0a" + string(binary.AppendUvarint(nil, uint64(len(inner)))) + inner}
	})},
	{"nested messages", bombString(trackable.GraphKey, func() []string {
		m := ""
		for len(m) < bombBytes()/16 {
			m = "\x0a" + string(binary.AppendUvarint(nil, uint64(len(m)))) + m
			if len(m) > 1<<14 {
				break
			}
		}
		return []string{m}
	})},
	{"a shape of many dimensions", bombIndex(func() []byte {
		var c bombTable
		shape := strings.Repeat("\x12\x00", bombBytes()/2)
		value := "\x08\x01\x12" + string(binary.AppendUvarint(nil, uint64(len(shape)))) + shape
		c.data("v", 0, append(bombEntry(bombEntry(nil, 0, "", bombHeader), 0, "v", value), oneRestart...))
		return c.bytes()
	})},
	{"many empty slices", bombIndex(func() []byte {
		var c bombTable
		value := "\x08\x01" + strings.Repeat("\x3a\x00", bombBytes()/2)
		c.data("v", 0, append(bombEntry(bombEntry(nil, 0, "", bombHeader), 0, "v", value), oneRestart...))
		return c.bytes()
	})},
	{"paths of a state file", bombBeside("checkpoint", func() string {
		return "model_checkpoint_path:'x'" + strings.Repeat("all_model_checkpoint_paths:''", bombBytes()/29)
	})},
	{"files of a receipt", bombBeside("ckpt-1.receipt.json", func() string {
		return `{"schema":1,"files":[{}` + strings.Repeat(",{}", bombBytes()/3) + `]}`
	})},
	{"tags of a receipt", bombBeside("ckpt-1.receipt.json", func() string {
		return `{"schema":1,"tags":[""` + strings.Repeat(`,""`, bombBytes()/3) + `]}`
	})},
	{"metrics of a receipt", bombBeside("ckpt-1.receipt.json", func() string {
		var b strings.Builder
		for i := range bombBytes() / 10 {
			fmt.Fprintf(&b, `,"%x":1`, i)
		}
		return `{"schema":1,"metrics":{"x":1` + b.String() + `}}`
	})},
	{"lists in a receipt", bombBeside("ckpt-1.receipt.json", func() string {
		return `{"schema":1,"x":[[]` + strings.Repeat(",[]", bombBytes()/3) + `]}`
	})},
}

// What a command may take at most: this, and so much for each byte that it was
// given. The race detector takes its share besides.
const (
	bombBase   = 128 << 20
	bombFactor = 256
)

func init() { programs["peak"] = peak }

// peak runs ckpt, and tells in its fourth file how many KiB of memory that took.
// What Linux says of a process that has ended is no less than what the one that
// started it took.
func peak() {
	code := run()
	status := string(must(os.ReadFile("/proc/self/status")))
	_, after, _ := strings.Cut(status, "VmHWM:")
	must(fmt.Fprint(os.NewFile(3, "peak"), strings.Fields(after)[0]))
	os.Exit(code)
}

// peakOf runs a command, whatever it makes of its arguments, and returns how many
// bytes of memory it took.
func peakOf(t *testing.T, args ...string) int64 {
	t.Helper()
	told := must(os.Create(filepath.Join(t.TempDir(), "peak")))
	c := &exec.Cmd{Path: os.Args[0], Args: append([]string{"peak"}, args...), ExtraFiles: []*os.File{told}}
	// Damage is an error, and no matter here; a crash has another exit code.
	if err := c.Run(); err != nil && c.ProcessState.ExitCode() > 6 || c.ProcessState.ExitCode() < 0 {
		t.Fatalf("ckpt %v: %v", args, err)
	}
	kib, err := strconv.ParseInt(string(must(os.ReadFile(told.Name()))), 10, 64)
	if err != nil {
		t.Fatalf("ckpt %v does not tell what it took: %v", args, err)
	}
	check(told.Close())
	return kib << 10
}

// TestNoFileTakesMemoryOutOfProportion lets every reading command at files that
// are made to take more memory than they have bytes, in processes of their own.
//
// Proves D24.
func TestNoFileTakesMemoryOutOfProportion(t *testing.T) {
	for i := 0; i < len(bombs); i += torture.Thin(5) {
		b, dir := bombs[i], t.TempDir()
		b.make(filepath.Join(dir, "ckpt-1"))
		limit := (bombBase + bombFactor*bytesIn(t, dir)) * raceOverhead
		path := filepath.Join(dir, "ckpt-1")
		for _, args := range [][]string{{"ls", dir}, {"show", path}, {"show", "--tree", path}, {"verify", dir}, {"cat", path, "v"}} {
			if took := peakOf(t, args...); took > limit {
				t.Errorf("%s: ckpt %s took %d MiB, want at most %d", b.name, args[0], took>>20, limit>>20)
			}
		}
	}
	torture.Count(t, "hostile inputs", 5*len(bombs))
}

func bytesIn(t *testing.T, dir string) (n int64) {
	t.Helper()
	entries, err := os.ReadDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	for _, e := range entries {
		info, err := e.Info()
		if err != nil {
			t.Fatal(err)
		}
		n += info.Size()
	}
	return n
}
