package doctor_test

import (
	"maps"
	"os"
	"slices"
	"strings"
	"testing"

	"github.com/ckpt-dev/ckpt/checkpoint"
	"github.com/ckpt-dev/ckpt/doctor"
)

const (
	data3    = "ckpt-3.data-00000-of-00001"
	index3   = "ckpt-3.index"
	receipt3 = "ckpt-3.receipt.json"
)

// cases are directories of three checkpoints with something wrong.
var cases = []struct {
	name    string
	damage  func(f folder)
	found   string // kinds before
	left    string // kinds after Fix
	options doctor.FixOptions
	deep    bool
	again   int // checkpoints that can be restored again
}{
	{name: "healthy", damage: func(folder) {}},
	{name: "state file missing", damage: func(f folder) { f.remove("checkpoint") }, found: "state-missing"},
	{name: "state file empty", damage: func(f folder) { f.write("checkpoint", "") }, found: "state-broken"},
	{name: "state file garbage", damage: func(f folder) { f.write("checkpoint", "\x00\x01") }, found: "state-broken"},
	{name: "state file with a broken line", damage: func(f folder) { f.flip("checkpoint", 3) }, found: "state-broken"},
	{name: "state file lacks a timestamp", damage: func(f folder) {
		text := f.read("checkpoint")
		f.write("checkpoint", text[:strings.Index(text, "all_model_checkpoint_timestamps")]+"all_model_checkpoint_timestamps: 1\n")
	}, found: "state-broken"},
	{name: "state file names what is not there", damage: func(f folder) {
		f.write("checkpoint", strings.ReplaceAll(f.read("checkpoint"), "ckpt-3", "ckpt-9"))
	}, found: "state-gone"},
	{name: "state file lists what is not there", damage: func(f folder) {
		f.remove("ckpt-1.index", "ckpt-1.data-00000-of-00001", "ckpt-1.receipt.json")
	}, found: "state-entry"},
	{name: "state file is behind", damage: func(f folder) {
		before := f.read("checkpoint")
		train(f.t, f.Dir, 1, nil)
		f.write("checkpoint", before)
	}, found: "state-behind"},
	{name: "state file set back", damage: setBack, found: "state-not-newest", left: "state-not-newest"},
	{name: "state file set back, and not on purpose", damage: setBack, found: "state-not-newest", options: doctor.FixOptions{State: true}},
	{name: "state file leads out", damage: func(f folder) { f.write("checkpoint", `model_checkpoint_path: "../ckpt-3"`) },
		found: "state-outside", left: "state-outside"},
	{name: "state file leads out, and not on purpose", damage: func(f folder) { f.write("checkpoint", `model_checkpoint_path: "/x/ckpt-8"`) },
		found: "state-outside", options: doctor.FixOptions{State: true}},
	{name: "newest damaged", damage: func(f folder) { f.flip(index3, 0) }, found: "damaged state-damaged", left: "damaged state-damaged"},
	{name: "newest damaged, and the state file may be changed", damage: func(f folder) { f.flip(index3, 0) },
		found: "damaged state-damaged", left: "damaged", options: doctor.FixOptions{State: true}},
	{name: "data file cut", damage: func(f folder) { f.write("ckpt-2.data-00000-of-00001", "x") }, found: "damaged", left: "damaged"},
	{name: "data file missing", damage: func(f folder) { f.remove("ckpt-2.data-00000-of-00001") }, found: "incomplete", left: "put-aside"},
	{name: "no checkpoint valid", damage: func(f folder) {
		for _, p := range []string{"ckpt-1", "ckpt-2", "ckpt-3"} {
			f.flip(p+".index", 0)
		}
	}, found: "damaged damaged damaged none-valid state-damaged", left: "damaged damaged damaged none-valid state-damaged"},
	{name: "receipt missing", damage: func(f folder) { f.remove(receipt3) }, found: "receipt-missing"},
	{name: "receipt broken", damage: func(f folder) { f.flip(receipt3, 0) }, found: "receipt-broken"},
	{name: "receipt of another", damage: func(f folder) { f.write(receipt3, f.read("ckpt-2.receipt.json")) }, found: "receipt-wrong"},
	{name: "index gone", damage: func(f folder) { f.remove("ckpt-1.index"); f.age() }, found: "half-removed"},
	{name: "index gone just now", damage: func(f folder) { f.remove("ckpt-1.index") }, found: "half-removed", left: "half-removed"},
	{name: "index of the latest gone", damage: func(f folder) { f.remove(index3); f.age() }, found: "index-lost state-gone", left: "index-lost"},
	{name: "index of a pinned one gone", damage: func(f folder) {
		f.must(checkpoint.Pin(f.t.Context(), f.Dir, "ckpt-1", "mine"))
		f.remove("ckpt-1.index")
		f.age()
	}, found: "index-lost", left: "index-lost"},
	{name: "data alone", damage: func(f folder) { f.remove("ckpt-1.index", "ckpt-1.receipt.json"); f.age() },
		found: "orphaned-data", left: "orphaned-data"},
	{name: "receipt alone", damage: func(f folder) {
		f.must(checkpoint.WriteReceipt(f.t.Context(), f.Dir, "ckpt-0", checkpoint.Receipt{Path: "ckpt-0", Writer: checkpoint.WriterManager}))
		f.age()
	}, found: "orphaned-receipt"},
	{name: "receipt alone that may be anything", damage: func(f folder) { f.write("ckpt-0.receipt.json", "x"); f.age() },
		found: "orphaned-receipt", left: "orphaned-receipt"},
	{name: "temporary file", damage: func(f folder) { f.write(".ckpt.tmp-1-x", "half"); f.age() }, found: "temporary"},
	{name: "temporary lease", damage: func(f folder) { f.write(".ckpt.leases/.ckpt.tmp-1-x", "half"); f.age() }, found: "temporary"},
	{name: "temporary file elsewhere", damage: func(f folder) { f.write("sub/.ckpt.tmp-1-x", "half"); f.age() },
		found: "temporary", left: "temporary"},
	{name: "young temporary file", damage: func(f folder) { f.write(".ckpt.tmp-1-x", "half") }},
	{name: "left by a doctor", damage: func(f folder) { f.write(".ckpt.leases/doctor-clock", ""); f.age() }, found: "temporary"},
	{name: "expired lease", damage: func(f folder) {
		f.write(".ckpt.leases/ckpt-1@X.json", `{"schema":1,"path":"ckpt-1","holder":"me","expires":"2020-01-01T00:00:00Z"}`)
		f.age()
	}, found: "expired-lease"},
	{name: "lease", damage: func(f folder) {
		f.write(".ckpt.leases/ckpt-1@X.json", `{"schema":1,"path":"ckpt-1","holder":"me","expires":"2999-01-01T00:00:00Z"}`)
	}},
	{name: "TensorFlow's leftovers", damage: func(f folder) {
		f.write("ckpt-4_temp/part-00000-of-00001.data-00000-of-00001", "x")
		f.write("ckpt-4_temp/part-00000-of-00001.index", "x")
		f.write("ckpt-4.index.tempstate16372826480283", "x")
		f.write("checkpoint.tmp0123456789abcdef0123456789abcdef", "x")
		f.age()
	}, found: "tensorflow-temp", left: "tensorflow-temp"},
	{name: "interrupted in the midst of linking", damage: func(f folder) {
		f.must(os.Link(f.at("ckpt-2.data-00000-of-00001"), f.at("ckpt-2.recovery.data-00000-of-00001")))
	}, found: "interrupted"},
	{name: "interrupted before the index", damage: func(f folder) { linkAside(f); f.write("ckpt-2.receipt.json", f.read("ckpt-1.receipt.json")) },
		found: "interrupted"},
	{name: "interrupted after the index", damage: linkAside, found: "interrupted"},
	{name: "interrupted, then both damaged", damage: func(f folder) {
		linkAside(f)
		f.flip("ckpt-2.data-00000-of-00001", 0)
		f.flip("ckpt-2.recovery.data-00000-of-00001", 0)
	}, found: "interrupted", left: "interrupted"},
	{name: "interrupted, then the index lost", damage: func(f folder) { linkAside(f); f.remove("ckpt-2.index"); f.age() },
		found: "interrupted", left: "interrupted"},
	{name: "a bad block, and parity", damage: func(f folder) {
		trainParity(f.t, f.Dir, 2)
		f.flip("ckpt-4.data-00000-of-00001", 0)
	}, found: "damaged", deep: true, again: 1},
	{name: "a bad index, and parity", damage: func(f folder) { trainParity(f.t, f.Dir, 1); f.flip("ckpt-4.index", 0) },
		found: "damaged state-damaged", again: 1},
	{name: "bad parity, too", damage: func(f folder) {
		trainParity(f.t, f.Dir, 1)
		f.flip("ckpt-4.index", 0)
		f.write("ckpt-4.parity-index", "x")
	}, found: "damaged state-damaged", left: "damaged state-damaged"},
	{name: "a data file missing, and parity", damage: func(f folder) { trainParity(f.t, f.Dir, 2); f.remove("ckpt-4.data-00000-of-00001") },
		found: "incomplete", again: 1},
	{name: "index of the latest gone, and parity", damage: func(f folder) { trainParity(f.t, f.Dir, 1); f.remove("ckpt-4.index") },
		found: "index-lost state-gone", again: 1},
	{name: "index gone, and parity", damage: func(f folder) { trainParity(f.t, f.Dir, 2); f.remove("ckpt-4.index"); f.age() },
		found: "index-lost", again: 1},
	{name: "index and state file gone, and parity", damage: func(f folder) {
		trainParity(f.t, f.Dir, 2)
		f.remove("ckpt-5.index", "checkpoint")
		f.age()
	}, found: "index-lost state-missing", again: 1},
	{name: "index of the newest and state file gone", damage: func(f folder) { f.remove(index3, "checkpoint"); f.age() },
		found: "index-lost state-missing", left: "index-lost"},
	{name: "index of the newest gone and state file empty", damage: func(f folder) {
		f.remove(index3)
		f.write("checkpoint", "")
		f.age()
	}, found: "index-lost state-broken", left: "index-lost"},
	{name: "all indexes and the state file gone", damage: func(f folder) {
		f.remove("ckpt-1.index", "ckpt-2.index", index3, "checkpoint")
		f.age()
	}, found: "index-lost index-lost index-lost", left: "index-lost index-lost index-lost"},
	{name: "all indexes and the state file gone, and parity", damage: func(f folder) {
		trainParity(f.t, f.Dir, 1)
		f.remove("ckpt-1.index", "ckpt-2.index", index3, "ckpt-4.index", "checkpoint")
		f.age()
	}, found: "index-lost index-lost index-lost index-lost", again: 1},
	{name: "parity alone", damage: func(f folder) {
		trainParity(f.t, f.Dir, 2)
		f.remove("ckpt-4.index", "ckpt-4.data-00000-of-00001", "ckpt-4.receipt.json")
		f.age()
	}, found: "orphaned-parity state-entry"},
}

func setBack(f folder) {
	f.write("checkpoint", strings.Replace(f.read("checkpoint"), `model_checkpoint_path: "ckpt-3"`, `model_checkpoint_path: "ckpt-2"`, 1))
}

func linkAside(f folder) {
	for _, suffix := range []string{".data-00000-of-00001", ".receipt.json", ".index"} {
		f.must(os.Link(f.at("ckpt-2"+suffix), f.at("ckpt-2.recovery"+suffix)))
	}
}

func TestEachFindingIsFoundAndMended(t *testing.T) {
	for _, test := range cases {
		t.Run(test.name, func(t *testing.T) {
			f := newFolder(t, 3)
			test.damage(f)
			before, whole := f.all(), f.restorable()
			o := &doctor.Options{Deep: test.deep}
			r := f.examine(o)
			wantKinds(t, "findings", r.Findings, strings.Fields(test.found)...)
			if !maps.Equal(f.all(), before) {
				t.Error("Examine has changed the directory")
			}
			for _, g := range r.Findings {
				if g.What == "" || g.Why == "" || g.Fix == "" || len(g.Files) == 0 {
					t.Errorf("finding %+v lacks words", g)
				}
			}
			after := f.fix(r, &test.options)
			wantKinds(t, "findings after Fix", after.Findings, strings.Fields(test.left)...)
			if again := f.examine(o); len(again.Findings) != len(after.Findings) {
				wantKinds(t, "findings of another examination", again.Findings, kinds(after.Findings)...)
			}
			if got := f.restorable(); !includes(got, whole) || len(got) != len(whole)+test.again {
				t.Errorf("after Fix these can be restored: %v, want %v and %d more", got, whole, test.again)
			}
			goesOn(f)
		})
	}
}

// includes reports whether a has all that b has.
func includes(a, b map[string]float32) bool {
	for path, v := range b {
		if got, ok := a[path]; !ok || got != v {
			return false
		}
	}
	return true
}

// goesOn restores, where there is something to restore, and saves.
func goesOn(f folder) {
	f.t.Helper()
	c, v := one()
	m, err := checkpoint.NewManager(f.t.Context(), c, f.Dir, &checkpoint.ManagerOptions{Fallback: true})
	f.must(err)
	mine := func(path string) bool { return strings.HasPrefix(path, "ckpt-") }
	if slices.ContainsFunc(slices.Collect(maps.Keys(f.restorable())), mine) {
		_, err := m.RestoreOrInitialize(f.t.Context())
		f.must(err)
	}
	v.Value[0] = 77
	path, err := m.Save(f.t.Context(), nil)
	f.must(err)
	f.must(m.Close(f.t.Context()))
	if got, ok := f.value(path); !ok || got != 77 {
		f.t.Errorf("%s saved afterwards has %v, %v, want 77", path, got, ok)
	}
}
