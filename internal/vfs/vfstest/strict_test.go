package vfstest_test

import (
	"errors"
	"io"
	"io/fs"
	"os"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/ckpt-dev/ckpt/internal/vfs"
	"github.com/ckpt-dev/ckpt/internal/vfs/vfstest"
)

const block = 4096

// disk is a file system under test and its ways to fail the test.
type disk struct {
	*vfstest.Strict
	t *testing.T
}

func newDisk(t *testing.T, o *vfstest.StrictOptions) disk { return disk{vfstest.NewStrict(o), t} }

func (d disk) must(err error) {
	d.t.Helper()
	if err != nil {
		d.t.Fatal(err)
	}
}

func (d disk) openFile(name string) vfs.File {
	d.t.Helper()
	f, err := d.OpenFile(name, os.O_RDWR|os.O_CREATE, 0o666)
	d.must(err)
	return f
}

// put writes a file, and flushes bytes and name if told to.
func (d disk) put(name, text string, flush bool) {
	d.t.Helper()
	f := d.openFile(name)
	_, err := f.WriteAt([]byte(text), 0)
	d.must(err)
	if flush {
		d.must(f.Sync())
		d.must(d.SyncDir("/"))
	}
	d.must(f.Close())
}

// look returns what a file system holds, as "a=text b=text dir/".
func look(t *testing.T, s *vfstest.Strict) string {
	t.Helper()
	var all []string
	entries, err := s.ReadDir("/")
	if err != nil {
		t.Fatal(err)
	}
	for _, e := range entries {
		if e.IsDir() {
			all = append(all, e.Name()+"/")
			continue
		}
		all = append(all, e.Name()+"="+content(t, s, e.Name()))
	}
	return strings.Join(all, " ")
}

// content returns a file's bytes, zeros as dots.
func content(t *testing.T, s *vfstest.Strict, name string) string {
	t.Helper()
	f, err := s.OpenFile(name, os.O_RDONLY, 0)
	if err != nil {
		t.Fatal(err)
	}
	info, err := f.Stat()
	if err != nil {
		t.Fatal(err)
	}
	p := make([]byte, info.Size())
	if _, err := f.ReadAt(p, 0); err != nil && err != io.EOF {
		t.Fatal(err)
	}
	if err := f.Close(); err != nil {
		t.Fatal(err)
	}
	return strings.ReplaceAll(string(p), "\x00", ".")
}

// outcomes returns what power cuts leave, by the names of the cuts.
func outcomes(t *testing.T, s *vfstest.Strict, random int) map[string]string {
	t.Helper()
	left := make(map[string]string)
	for cut := range s.Cuts(random, 1) {
		left[cut.Name] = look(t, s.Crash(cut))
	}
	return left
}

// wantOnly checks that power cuts leave just the wanted states, and all of them.
func (d disk) wantOnly(want ...string) {
	d.t.Helper()
	seen := make(map[string]bool)
	for name, got := range outcomes(d.t, d.Strict, 200) {
		seen[got] = true
		ok := false
		for _, w := range want {
			ok = ok || got == w
		}
		if !ok {
			d.t.Errorf("cut %q of %v leaves %q, want one of %q", name, d.Pending(), got, want)
		}
	}
	for _, w := range want {
		if !seen[w] {
			d.t.Errorf("no cut leaves %q; pending is %v", w, d.Pending())
		}
	}
}

func TestWhatIsFlushedSurvives(t *testing.T) {
	d := newDisk(t, nil)
	d.put("a", "text", true)
	d.wantOnly("a=text")
	d.must(d.Mkdir("dir", 0o777))
	d.must(d.SyncDir("/"))
	d.must(d.Rename("a", "b"))
	d.must(d.SyncDir("/"))
	d.wantOnly("b=text dir/")
	if p := d.Pending(); len(p) != 0 {
		t.Errorf("Pending() = %v, want nothing", p)
	}
}

func TestAnUnflushedFileHasNameBytesAndSizeEachOrNot(t *testing.T) {
	d := newDisk(t, nil)
	d.put("a", "text", false)
	seen := make(map[string]bool)
	for _, got := range outcomes(t, d.Strict, 200) {
		if len(got) > 2 && got != "a=text" && got != "a=...." {
			got = "garbage"
		}
		seen[got] = true
	}
	for _, want := range []string{"", "a=", "a=....", "a=text", "garbage"} {
		if !seen[want] {
			t.Errorf("no cut leaves %q", want)
		}
	}
}

func TestANameSurvivesWithoutTheBytesIfOnlyTheDirectoryIsFlushed(t *testing.T) {
	d := newDisk(t, nil)
	d.put("a", "text", false)
	d.must(d.SyncDir("/"))
	left := outcomes(t, d.Strict, 0)
	if left["none"] != "a=" || left["all"] != "a=text" || left["only 0"] != "a=" || left["only 1"] != "a=...." {
		t.Errorf("cuts leave %q", left)
	}
}

func TestBytesSurviveWithoutTheNameIfOnlyTheFileIsFlushed(t *testing.T) {
	d := newDisk(t, nil)
	f := d.openFile("a")
	_, err := f.WriteAt([]byte("text"), 0)
	d.must(err)
	d.must(f.Sync())
	d.wantOnly("", "a=text")
}

func TestARenameThatIsNotFlushed(t *testing.T) {
	for _, c := range []struct {
		o    *vfstest.StrictOptions
		want []string
	}{
		{nil, []string{"a=old t=new", "a=new t=new", "a=new"}},
		{&vfstest.StrictOptions{WholeRenames: true}, []string{"a=old t=new", "a=new"}},
	} {
		d := newDisk(t, c.o)
		d.put("a", "old", true)
		d.put("t", "new", true)
		d.must(d.Rename("t", "a"))
		d.wantOnly(c.want...)
	}
}

func TestRenamesReachTheDiskInAnyOrder(t *testing.T) {
	d := newDisk(t, &vfstest.StrictOptions{WholeRenames: true})
	d.put("a", "1", true)
	d.put("b", "2", true)
	d.must(d.Rename("a", "c"))
	d.must(d.Rename("b", "d"))
	d.wantOnly("a=1 b=2", "b=2 c=1", "a=1 d=2", "c=1 d=2")
}

func TestLinksAndUnlinksThatAreNotFlushed(t *testing.T) {
	d := newDisk(t, nil)
	d.put("a", "1", true)
	d.must(d.Link("a", "b"))
	d.wantOnly("a=1", "a=1 b=1")
	d.must(d.SyncDir("/"))
	d.must(d.Unlink("a"))
	d.wantOnly("a=1 b=1", "b=1")
	d.must(d.SyncDir("/"))
	d.wantOnly("b=1")
}

func TestARenameBetweenDirectoriesIsNeverNowhere(t *testing.T) {
	for _, flush := range []string{"from", "to", ""} {
		d := newDisk(t, nil)
		d.must(d.Mkdir("from", 0o777))
		d.must(d.Mkdir("to", 0o777))
		d.must(d.SyncDir("/"))
		f := d.openFile("from/a")
		d.must(f.Sync())
		d.must(d.SyncDir("from"))
		d.must(d.Rename("from/a", "to/a"))
		if flush != "" {
			d.must(d.SyncDir(flush))
		}
		for cut := range d.Cuts(50, 1) {
			left := d.Crash(cut)
			_, from := left.Stat("from/a")
			_, to := left.Stat("to/a")
			if from != nil && to != nil {
				t.Errorf("flushed %q, cut %q: the file has no name", flush, cut.Name)
			}
			if flush == "to" && to != nil || flush == "from" && from == nil {
				t.Errorf("flushed %q, cut %q: from %v, to %v", flush, cut.Name, from, to)
			}
		}
	}
}

// TestAFlushOfTheOldDirectoryTakesTheNewNameAlong also where that name has an
// unflushed past of its own.
func TestAFlushOfTheOldDirectoryTakesTheNewNameAlong(t *testing.T) {
	d := newDisk(t, nil)
	d.must(d.Mkdir("from", 0o777))
	d.put("from/x", "new", true)
	d.must(d.SyncDir("from"))
	d.put("x", "old", false)
	d.must(d.Rename("from/x", "x"))
	d.must(d.SyncDir("from"))
	d.wantOnly("from/ x=new")
}

func TestBlocksAreLostEachByItself(t *testing.T) {
	d := newDisk(t, nil)
	d.put("a", strings.Repeat("o", 3*block), true)
	f := d.openFile("a")
	_, err := f.WriteAt([]byte(strings.Repeat("n", 2*block)), block/2)
	d.must(err)
	seen := make(map[string]bool)
	for cut := range d.Cuts(0, 0) {
		text := content(t, d.Crash(cut), "a")
		seen[text[block/2:block/2+1]+text[block:block+1]+text[2*block:2*block+1]] = true
	}
	for _, want := range []string{"ooo", "noo", "ono", "oon", "onn", "non", "nno", "nnn"} {
		if !seen[want] {
			t.Errorf("no cut leaves %q", want)
		}
	}
}

func TestTornBytesAreTornAtSectors(t *testing.T) {
	d := newDisk(t, nil)
	d.put("a", strings.Repeat("o", block), true)
	f := d.openFile("a")
	_, err := f.WriteAt([]byte(strings.Repeat("n", block)), 0)
	d.must(err)
	kinds := make(map[byte]int)
	for seed := range uint64(50) {
		text := content(t, d.Crash(vfstest.CutBy("torn", func(int) vfstest.Fate { return vfstest.Torn(seed << 2) })), "a")
		for at := 0; at < block; at += 512 {
			sector := text[at : at+512]
			kind := sector[0]
			if sector != strings.Repeat(string(kind), 512) {
				kind = '?'
			}
			kinds[kind]++
		}
	}
	if kinds['o'] == 0 || kinds['n'] == 0 || kinds['?'] == 0 || len(kinds) != 3 {
		t.Errorf("sectors are %v, want old, new and garbage", kinds)
	}
}

func TestTruncationsAreLostOrNot(t *testing.T) {
	d := newDisk(t, nil)
	d.put("a", "12345678", true)
	f := d.openFile("a")
	d.must(f.Truncate(2))
	_, err := f.WriteAt([]byte("X"), 3)
	d.must(err)
	if got := look(t, d.Strict); got != "a=12.X" {
		t.Errorf("seen is %q", got)
	}
	left := outcomes(t, d.Strict, 0)
	for cut, want := range map[string]string{"none": "a=12345678", "only 0": "a=12", "only 1": "a=123X5678", "only 2": "a=1234", "all but 1": "a=12..", "all": "a=12.X"} {
		if left[cut] != want {
			t.Errorf("cut %q leaves %q, want %q", cut, left[cut], want)
		}
	}
}

func TestPreallocatedSpaceIsZeros(t *testing.T) {
	d := newDisk(t, nil)
	f := d.openFile("a")
	d.must(f.Preallocate(4))
	d.must(f.Preallocate(2))
	d.must(f.Preallocate(0))
	d.must(d.SyncDir("/"))
	d.wantOnly("a=", "a=....")
}

func TestACrashLeavesNothingPendingAndFreesLocks(t *testing.T) {
	d := newDisk(t, nil)
	f := d.openFile("lock")
	d.must(f.TryLock())
	d.must(f.TryLock())
	other := d.openFile("lock")
	if err := other.TryLock(); !errors.Is(err, vfs.ErrLocked) {
		t.Errorf("the other's TryLock = %v, want %v", err, vfs.ErrLocked)
	}
	for name, s := range map[string]*vfstest.Strict{"crash": d.Crash(vfstest.KeepAll()), "kill": d.Clone()} {
		after, err := s.OpenFile("lock", os.O_RDWR, 0)
		d.must(err)
		if err := after.TryLock(); err != nil {
			t.Errorf("TryLock after a %s = %v", name, err)
		}
		if n := len(s.Pending()); (n == 0) != (name == "crash") {
			t.Errorf("%d items pending after a %s", n, name)
		}
	}
	d.must(f.Close())
	d.must(other.TryLock())
}

func TestKilledProcessesLeaveWhatIsSeen(t *testing.T) {
	d := newDisk(t, nil)
	d.put("a", "text", false)
	c := d.Clone()
	d.put("b", "later", true)
	if got := look(t, c); got != "a=text" {
		t.Errorf("a clone sees %q", got)
	}
	if got := outcomes(t, c, 0)["none"]; got != "" {
		t.Errorf("a power cut after a kill leaves %q", got)
	}
	if got := look(t, d.Strict); got != "a=text b=later" {
		t.Errorf("the original sees %q", got)
	}
}

func TestAnUnlinkedFileGoesOnUntilItIsClosed(t *testing.T) {
	d := newDisk(t, nil)
	d.put("a", "text", true)
	f := d.openFile("a")
	d.must(d.Unlink("a"))
	d.must(d.SyncDir("/"))
	p := make([]byte, 4)
	if _, err := f.ReadAt(p, 0); err != nil || string(p) != "text" {
		t.Errorf("ReadAt = %q, %v", p, err)
	}
	_, err := f.WriteAt([]byte("more"), 4)
	d.must(err)
	if p := d.Pending(); len(p) != 0 {
		t.Errorf("Pending() = %v of a file without a name", p)
	}
	d.must(f.Close())
	if err := f.Close(); !errors.Is(err, fs.ErrClosed) {
		t.Errorf("a second Close = %v, want %v", err, fs.ErrClosed)
	}
}

func TestAFailedSyncIsNotMadeGoodByAnother(t *testing.T) {
	d := newDisk(t, nil)
	f := d.openFile("a")
	d.must(d.SyncDir("/"))
	_, err := f.WriteAt([]byte("lost"), 0)
	d.must(err)
	fail := true
	d.FailSync(func(op vfstest.Op) error {
		if fail && op.Verb == "sync" {
			return syscall.EIO
		}
		return nil
	})
	if err := f.Sync(); !errors.Is(err, syscall.EIO) {
		t.Errorf("Sync = %v, want %v", err, syscall.EIO)
	}
	fail = false
	_, err = f.WriteAt([]byte("kept"), 4)
	d.must(err)
	d.must(f.Sync())
	if got := look(t, d.Strict); got != "a=lostkept" {
		t.Errorf("seen is %q", got)
	}
	d.wantOnly("a=....kept")
}

func TestDirectIOAsksForAlignment(t *testing.T) {
	direct := directFlag()
	if direct == 0 {
		return // there is no such flag here
	}
	d := newDisk(t, nil)
	f, err := d.OpenFile("a", os.O_RDWR|os.O_CREATE|direct, 0o666)
	d.must(err)
	p := aligned(2 * block)
	for _, c := range []struct {
		p   []byte
		off int64
		ok  bool
	}{{p, 0, true}, {p, block, true}, {p, 1, false}, {p[:block], 512, false}, {p[:100], 0, false}, {p[1 : block+1], 0, false}} {
		if _, err := f.WriteAt(c.p, c.off); (err == nil) != c.ok || !c.ok && !errors.Is(err, syscall.EINVAL) {
			t.Errorf("WriteAt(%d bytes, %d) = %v, want it to work: %t", len(c.p), c.off, err, c.ok)
		}
	}
	if _, err := f.ReadAt(p[1:block+1], 0); !errors.Is(err, syscall.EINVAL) {
		t.Errorf("ReadAt into what is not aligned = %v, want %v", err, syscall.EINVAL)
	}
	d.must(f.Truncate(100))
	if n, err := f.ReadAt(p[:block], 0); n != 100 || err != io.EOF {
		t.Errorf("ReadAt over the end = %d, %v, want 100, %v", n, err, io.EOF)
	}
	if left := outcomes(t, d.Strict, 0)["none"]; left != "" {
		t.Errorf("what was written past the cache survives as %q without a flush", left)
	}
}

func TestWindowsKeepsOpenFilesNames(t *testing.T) {
	d := newDisk(t, &vfstest.StrictOptions{Windows: true})
	d.put("a", "1", true)
	d.put("b", "2", true)
	f := d.openFile("a")
	for what, err := range map[string]error{
		"unlink":      d.Unlink("a"),
		"rename":      d.Rename("a", "c"),
		"rename over": d.Rename("b", "a"),
	} {
		if !errors.Is(err, fs.ErrPermission) {
			t.Errorf("%s of an open file = %v, want %v", what, err, fs.ErrPermission)
		}
	}
	d.must(f.Close())
	d.must(d.Rename("b", "a"))
	d.must(d.Rename("a", "c"))
	d.must(d.SyncDir("/"))
	d.must(d.Unlink("c"))
	d.wantOnly("a=1 b=2", "a=2", "a=2 b=2", "a=2 c=2", "c=2", "")
	d.put("d", "", false)
	f = d.openFile("d")
	d.must(f.Sync())
	d.wantOnly("d=")
}

func TestTheClockIsTheFileSystems(t *testing.T) {
	d := newDisk(t, nil)
	d.put("a", "1", true)
	was := d.Now()
	d.Advance(time.Hour)
	d.put("b", "2", true)
	for name, after := range map[string]bool{"a": false, "b": true} {
		info, err := d.Stat(name)
		d.must(err)
		if got := info.ModTime().Sub(was) >= time.Hour; got != after {
			t.Errorf("%s is of %v, an hour after %v: %t, want %t", name, info.ModTime(), was, got, after)
		}
	}
}

func TestWatchSeesEachChange(t *testing.T) {
	d := newDisk(t, nil)
	var lines []string
	d.Watch(func(op vfstest.Op, s *vfstest.Strict) { lines = append(lines, op.Verb+" "+look(t, s)) })
	d.put("a", "1", true)
	d.must(d.Rename("a", "b"))
	want := "create a=; write a=1; sync a=1; syncdir a=1; rename b=1"
	if got := strings.Join(lines, "; "); got != want {
		t.Errorf("watched %q, want %q", got, want)
	}
}

func TestCutsCanBeRepeated(t *testing.T) {
	d := newDisk(t, nil)
	d.put("a", strings.Repeat("x", 3*block), false)
	for cut := range d.Cuts(20, 7) {
		again, err := d.CutNamed(cut.Name)
		d.must(err)
		if got, want := look(t, d.Crash(again)), look(t, d.Crash(cut)); got != want {
			t.Errorf("%q leaves something else the second time", cut.Name)
		}
	}
	if _, err := d.CutNamed("only 99"); err == nil {
		t.Error("CutNamed(only 99) found one")
	}
}
