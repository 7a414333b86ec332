package filename

import (
	"fmt"
	"path"
	"slices"
	"strconv"
	"strings"
)

// CutV1Shard cuts "-00000-of-00002" off a name.
func CutV1Shard(name string) (base string, ok bool) {
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

// MayBeV1 tells from a name whether it is worth a look: V1 files have no
// suffix of their own.
func MayBeV1(name string) bool {
	if _, ok := Parse(name); ok || path.Base(name) == State {
		return false
	}
	known := []string{".meta", ".json", ".pb", ".pbtxt", ".txt", ".py", ".go", ".md", ".log", ".csv", ".npy", ".npz",
		".h5", ".keras", ".safetensors", ".pt", ".pth", ".png", ".jpg", ".zip", ".gz", ".tar"}
	return !slices.Contains(known, path.Ext(name)) && !strings.HasPrefix(path.Base(name), "events.out.tfevents")
}

// MissingV1Shard returns the first name that a sharded V1 checkpoint lacks, by
// the number of shards that is in each name; "" if names, sorted, are all. One
// shard alone can be loaded by its own name, as in TensorFlow.
func MissingV1Shard(names []string) string {
	if len(names) == 0 {
		return ""
	}
	base, shard := CutV1Shard(names[0])
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
