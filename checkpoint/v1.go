package checkpoint

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"path"
	"slices"
	"strconv"
	"strings"

	"github.com/ckpt-dev/ckpt/format/tensorslice"
	"github.com/ckpt-dev/ckpt/storage"
)

// v1Files returns the files of the V1 checkpoint p: a file of that name, or
// shards of it, "p-00000-of-00002". p may also be one of the shards, or all of
// them as TensorFlow 1 writes it into state files, "p-?????-of-00002".
func v1Files(ctx context.Context, dir storage.Dir, p string) ([]string, error) {
	base, ok := cutV1Shard(p)
	if !ok {
		if is, err := isV1(ctx, dir, p); is || err != nil {
			return []string{p}, err
		}
	}
	var names []string
	err := eachFile(ctx, dir, base+"-", func(info storage.Info) {
		if b, ok := cutV1Shard(info.Name); ok && b == base {
			names = append(names, info.Name)
		}
	})
	if err != nil {
		return nil, err
	}
	for _, name := range names {
		if is, err := isV1(ctx, dir, name); !is || err != nil {
			return nil, err
		}
	}
	return names, nil
}

// cutV1Shard cuts "-00000-of-00002" off a name.
func cutV1Shard(name string) (base string, ok bool) {
	const digits, length = "0123456789?", len("-00000-of-00000")
	cut := len(name) - length
	if cut <= 0 || name[cut] != '-' || name[cut+6:cut+10] != "-of-" {
		return name, false
	}
	for _, field := range []string{name[cut+1 : cut+6], name[cut+10:]} {
		if strings.Trim(field, digits) != "" {
			return name, false
		}
	}
	return name[:cut], true
}

// isV1 reports whether name is a file in the V1 format.
func isV1(ctx context.Context, dir storage.Dir, name string) (bool, error) {
	f, err := dir.Open(ctx, name)
	switch {
	case errors.Is(err, fs.ErrNotExist), errors.Is(err, fs.ErrInvalid): // missing, or a directory
		return false, nil
	case err != nil:
		return false, err
	}
	is := tensorslice.IsV1(f, f.Size())
	return is, f.Close()
}

// mayBeV1 tells from a name whether it is worth a look: V1 files have no
// suffix of their own.
func mayBeV1(name string) bool {
	if _, ok := parseName(name); ok || path.Base(name) == stateName {
		return false
	}
	known := []string{".meta", ".json", ".pb", ".pbtxt", ".txt", ".py", ".go", ".md", ".log", ".csv", ".npy", ".npz",
		".h5", ".keras", ".safetensors", ".pt", ".pth", ".png", ".jpg", ".zip", ".gz", ".tar"}
	return !slices.Contains(known, path.Ext(name)) && !strings.HasPrefix(path.Base(name), "events.out.tfevents")
}

// missingShard returns the first name that a sharded V1 checkpoint lacks, by
// the number of shards that is in each name; "" if names, sorted, are all. One
// shard alone can be loaded by its own name, as in TensorFlow.
func missingShard(names []string) string {
	if len(names) == 0 {
		return ""
	}
	base, shard := cutV1Shard(names[0])
	of := names[0][max(0, len(names[0])-len("00002")):]
	shards, err := strconv.Atoi(of)
	if !shard || err != nil {
		return ""
	}
	for i := range shards {
		want := fmt.Sprintf("%s-%05d-of-%s", base, i, of)
		if _, found := slices.BinarySearch(names, want); !found {
			return want
		}
	}
	return ""
}
