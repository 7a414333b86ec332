package doctor

import (
	"context"
	"fmt"
	"maps"
	"path"
	"regexp"
	"slices"
	"strings"

	"github.com/ckpt-dev/ckpt/internal/dirlock"
	"github.com/ckpt-dev/ckpt/internal/filename"
	"github.com/ckpt-dev/ckpt/storage"
)

// What TensorFlow calls files that it has not finished: a table's or a data
// file's (tensor_bundle.cc, BundleWriter), a save's of several shards
// (checkpoint.py, _MultiDeviceSaver: "<prefix>_temp/part-…"), and a state file's
// (file_io.py, atomic_write_string_to_file).
var tensorflowTemp = []*regexp.Regexp{
	regexp.MustCompile(`\.tempstate\d+$`),
	regexp.MustCompile(`^[^/]+_temp(_[0-9a-f]{32})?/part-\d{5}-of-\d{5}\.`),
	regexp.MustCompile(`^` + filename.State + `\.tmp[0-9a-f]+$`),
}

// A copy is called as what it was, and by what was in it.
var copyName = regexp.MustCompile(`\.old-[0-9a-f]{8}$`)

// probe is written and removed to see what time it is for the storage.
const probe = dirlock.Leases + "/doctor-clock"

// checkOthers looks at the files that belong to no checkpoint.
func (x *examiner) checkOthers(context.Context) error {
	var temps []string
	for _, name := range slices.Sorted(maps.Keys(x.files)) {
		f, ofCheckpoint := filename.Parse(name)
		switch {
		case slices.ContainsFunc(tensorflowTemp, func(r *regexp.Regexp) bool { return r.MatchString(name) }):
			temps = append(temps, name)
		case ofCheckpoint && !strings.Contains(f.Path, "/"), name == filename.State, copyName.MatchString(name), ours(name), x.isV1(name):
		default:
			x.unknown = append(x.unknown, name)
		}
	}
	x.tensorflowTemps(temps)
	if _, left := x.files[probe]; left {
		f := x.leftover(Temporary, probe)
		f.What, f.Why = "an earlier ckpt doctor was interrupted", "it has left the file by which it looks at the clock"
		x.find(f)
	}
	return nil
}

// ours reports whether a file is in a directory of the packages below.
func ours(name string) bool {
	for _, in := range []string{dirlock.Leases, filename.Quarantine, dirlock.Tokens} {
		if strings.HasPrefix(name, in+"/") {
			return true
		}
	}
	return false
}

func (x *examiner) isV1(name string) bool {
	p, _ := filename.CutV1Shard(name)
	return (x.isValid(p) || x.bad[p]) && x.sets[p] == nil
}

func (x *examiner) tensorflowTemps(names []string) {
	if len(names) == 0 {
		return
	}
	f := Finding{Kind: TensorFlowTemp, Severity: Warning, Files: names, step: stepLeftovers,
		What: plural(len(names), "file") + " that TensorFlow has not finished",
		Why:  "by their names a save of TensorFlow's ended half-way, or is at work",
		Fix:  "nothing: they are TensorFlow's. Remove them if no program of TensorFlow's saves here"}
	if !x.old(names...) {
		f.Severity = Note
	}
	x.find(f)
}

// checkTemporary looks for what writers of ours have begun and not committed.
// The storage removes that of the dead when somebody takes the lock beside.
func (x *examiner) checkTemporary(ctx context.Context) error {
	list, err := storage.Leftovers(ctx, x.dir)
	for _, info := range list {
		if x.now.Sub(info.ModTime) <= staleAge {
			continue
		}
		f := Finding{Kind: Temporary, Severity: Problem, Files: []string{info.Name}, step: stepLock, Fixable: true,
			What: fmt.Sprintf("%s has %s that were never committed", info.Name, plural(int(info.Size), "byte")),
			Why:  "nothing was written to it for an hour: its writer has died",
			Fix:  "takes the lock of the directory, which removes it"}
		if in := path.Dir(info.Name); in != "." && in != dirlock.Leases {
			f.Fixable, f.Severity, f.Fix = false, Warning, "nothing here: run ckpt doctor on "+in
		}
		x.find(f)
	}
	return err
}
