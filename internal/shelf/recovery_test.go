package shelf

import (
	"context"
	"encoding/json"
	"hash/crc32"
	"maps"
	"path"
	"slices"
	"testing"

	"github.com/ckpt-dev/ckpt/internal/filename"
	"github.com/ckpt-dev/ckpt/storage"
	"github.com/ckpt-dev/ckpt/storage/mem"
)

// told reads the receipts of these tests.
func told(ctx context.Context, dir storage.Dir, path string) (files []File, err error) {
	text, err := storage.ReadFile(ctx, dir, filename.OfReceipt(path))
	if err != nil {
		return nil, err
	}
	if json.Unmarshal(text, &files) != nil {
		return nil, nil
	}
	return files, nil
}

// whole returns the files of a checkpoint whose index and data have the text.
func whole(p, text string, shards ...string) map[string]string {
	files := map[string]string{p + ".index": "index " + text}
	for _, shard := range shards {
		files[p+".data-"+shard] = "data " + text
	}
	var list []File
	for name, text := range files {
		list = append(list, File{Name: path.Base(name), Size: int64(len(text)), CRC32C: crc32.Checksum([]byte(text), crc32.MakeTable(crc32.Castagnoli))})
	}
	receipt, err := json.Marshal(list)
	if err != nil {
		panic(err) // of numbers and strings
	}
	files[p+".receipt.json"] = string(receipt)
	return files
}

// under returns the files of ckpt-7 by their recovery names.
func under(files map[string]string) map[string]string {
	renamed := make(map[string]string)
	for name, text := range files {
		renamed[recoveryName("ckpt-7", name)] = text
	}
	return renamed
}

// with returns files with those of more whose names end in one of the suffixes.
func with(files, more map[string]string, suffixes ...string) map[string]string {
	all := maps.Clone(files)
	for name, text := range more {
		if slices.ContainsFunc(suffixes, func(s string) bool { return name == "ckpt-7"+s }) || len(suffixes) == 0 {
			all[name] = text
		}
	}
	return all
}

func less(files map[string]string, names ...string) map[string]string {
	left := maps.Clone(files)
	for _, name := range names {
		delete(left, name)
	}
	return left
}

func put(t *testing.T, files map[string]string) storage.Dir {
	t.Helper()
	dir := mem.Dir()
	for name, text := range files {
		if err := storage.WriteFile(t.Context(), dir, name, []byte(text)); err != nil {
			t.Fatal(err)
		}
	}
	return dir
}

func contents(t *testing.T, dir storage.Dir) map[string]string {
	t.Helper()
	files := make(map[string]string)
	err := EachFile(t.Context(), dir, "", func(info storage.Info) {
		text, err := storage.ReadFile(t.Context(), dir, info.Name)
		if err != nil {
			t.Error(err)
		}
		files[info.Name] = string(text)
	})
	if err != nil {
		t.Fatal(err)
	}
	return files
}

const one, first, second = "00000-of-00001", "00000-of-00002", "00001-of-00002"

func TestInterruptedOverwriteIsSettled(t *testing.T) {
	was, next := whole("ckpt-7", "old", one), whole("ckpt-7", "brand new", one)
	split := whole("ckpt-7", "two", first, second)
	linked := with(was, under(was))
	other := whole("ckpt-8", "other", one)
	for name, test := range map[string]struct{ found, want map[string]string }{
		"nothing to settle":                     {was, was},
		"nothing replaced yet":                  {linked, was},
		"receipt replaced":                      {with(linked, next, ".receipt.json"), was},
		"receipt and data replaced":             {with(linked, next, ".receipt.json", ".data-"+one), was},
		"all replaced":                          {with(linked, next), next},
		"all but the receipt replaced":          {with(linked, next, ".index", ".data-"+one), was},
		"data of another size":                  {with(with(linked, next), map[string]string{"ckpt-7.data-" + one: "?"}), was},
		"links without an index":                {less(linked, "ckpt-7.recovery.index"), was},
		"half of the links removed":             {less(with(linked, next), "ckpt-7.recovery.index", "ckpt-7.recovery.receipt.json"), next},
		"removed by somebody else":              {less(linked, "ckpt-7.index", "ckpt-7.data-"+one), less(was, "ckpt-7.index", "ckpt-7.data-"+one)},
		"the index lost":                        {less(linked, "ckpt-7.index"), was},
		"a receipt that makes no sense":         {with(linked, map[string]string{"ckpt-7.receipt.json": "?"}), was},
		"old without receipt":                   {less(with(linked, next, ".receipt.json"), "ckpt-7.recovery.receipt.json"), less(was, "ckpt-7.receipt.json")},
		"more shards, all published":            {with(linked, split), split},
		"more shards, the index not published":  {with(linked, split, ".receipt.json", ".data-"+first, ".data-"+second), was},
		"more shards, the second not published": {with(linked, split, ".receipt.json", ".data-"+first), was},
		"others are none of its business":       {with(linked, other), with(was, other)},
	} {
		dir := put(t, test.found)
		if err := SettleAt(t.Context(), dir, "ckpt-7", told); err != nil {
			t.Errorf("%s: SettleAt = %v", name, err)
			continue
		}
		if got := contents(t, dir); !maps.Equal(got, test.want) {
			t.Errorf("%s: there are %q, want %q", name, got, test.want)
		}
	}
}

func TestLinkMakesASecondSetOfTheSameBytes(t *testing.T) {
	was := whole("ckpt-7", "old", first, second)
	dir := put(t, was)
	sets, err := Scan(t.Context(), dir, "ckpt-7.")
	if err != nil {
		t.Fatal(err)
	}
	if err := Link(t.Context(), dir, sets["ckpt-7"]); err != nil {
		t.Fatal(err)
	}
	if got, want := contents(t, dir), with(was, under(was)); !maps.Equal(got, want) {
		t.Errorf("there are %q, want %q", got, want)
	}
}

func TestReceiptDescribesWhatIsThere(t *testing.T) {
	good := whole("ckpt-7", "text", one)
	for name, test := range map[string]struct {
		files map[string]string
		want  bool
	}{
		"all there":            {good, true},
		"no receipt":           {less(good, "ckpt-7.receipt.json"), false},
		"no index":             {less(good, "ckpt-7.index"), false},
		"no data":              {less(good, "ckpt-7.data-"+one), false},
		"another index":        {with(good, map[string]string{"ckpt-7.index": "index tEXt"}), false},
		"longer data":          {with(good, map[string]string{"ckpt-7.data-" + one: "data text."}), false},
		"a file more":          {with(good, map[string]string{"ckpt-7.receipt.json": whole("ckpt-7", "text", one, first)["ckpt-7.receipt.json"]}), false},
		"says nothing":         {with(good, map[string]string{"ckpt-7.receipt.json": "[]"}), false},
		"cannot be understood": {with(good, map[string]string{"ckpt-7.receipt.json": "{"}), false},
	} {
		dir := put(t, test.files)
		sets, err := Scan(t.Context(), dir, "")
		if err != nil {
			t.Fatal(err)
		}
		if got, err := IsDescribed(t.Context(), dir, sets["ckpt-7"], told); got != test.want || err != nil {
			t.Errorf("%s: IsDescribed = %v, %v, want %v", name, got, err, test.want)
		}
	}
	if got, err := IsDescribed(t.Context(), mem.Dir(), nil, told); got || err != nil {
		t.Errorf("IsDescribed(nil) = %v, %v, want false", got, err)
	}
}
