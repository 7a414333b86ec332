package checkpoint

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/ckpt-dev/ckpt/internal/ledger"
	"github.com/ckpt-dev/ckpt/internal/shelf"
	"github.com/ckpt-dev/ckpt/retention"
	"github.com/ckpt-dev/ckpt/storage"
	"github.com/ckpt-dev/ckpt/storage/local"
	"github.com/ckpt-dev/ckpt/storage/mem"
)

const baseSize = 64 << 10 // of what sharedSaves lets checkpoints share

// sharedSaves makes n checkpoints of one tensor. The data of all
// is one file, as an incremental save leaves them. told: their receipts say so.
func sharedSaves(t *testing.T, dir storage.Dir, n int, told bool) *Manager {
	t.Helper()
	return sharedSavesBy(t, dir, n, told, nil)
}

func sharedSavesBy(t *testing.T, dir storage.Dir, n int, told bool, policy retention.Policy) *Manager {
	t.Helper()
	c := New(nil, Objects{"v": variable(make([]float32, baseSize/4)...)}, nil)
	m := newManager(t, c, dir, &ManagerOptions{Now: at(1000).tick, Retention: policy})
	for range n {
		mustSave(t, m, nil)
	}
	newest := fmt.Sprintf("ckpt-%d", n)
	r, err := ReadReceipt(background(), dir, newest)
	if err != nil {
		t.Fatal(err)
	}
	for i := 1; i < n; i++ {
		share(t, dir, newest, fmt.Sprintf("ckpt-%d", i), r, told)
	}
	return m
}

// share makes the data file of the checkpoint to that of from, whose receipt is r.
func share(t *testing.T, dir storage.Dir, from, to string, r Receipt, told bool) {
	t.Helper()
	p, err := storage.Share(background(), dir, from+".data-00000-of-00001", to+".data-00000-of-00001")
	if err == nil {
		err = p.Commit()
	}
	if err != nil {
		t.Fatal(err)
	}
	own, err := ReadReceipt(background(), dir, to)
	if err == nil && told {
		own.Files[0] = r.Files[0]
		own.Files[0].Name, own.Files[0].Linked = to+".data-00000-of-00001", r.Files[0].Name
		err = WriteReceipt(background(), dir, to, own)
	}
	if err != nil {
		t.Fatal(err)
	}
}

// sharedPlaces are a disk, which tells which names are of one file, and memory,
// where receipts tell.
func sharedPlaces(t *testing.T) map[string]storage.Dir {
	return map[string]storage.Dir{"on a disk": local.Dir(t.TempDir()), "in memory": mem.Dir()}
}

func TestAPlanFreesWhatNobodyElseHas(t *testing.T) {
	for place, dir := range sharedPlaces(t) {
		t.Run(place, func(t *testing.T) {
			m := sharedSaves(t, dir, 4, place == "in memory")
			if err := m.Close(background()); err != nil {
				t.Fatal(err)
			}
			list, err := List(background(), dir, &ListOptions{Receipts: true})
			if err != nil {
				t.Fatal(err)
			}
			sum := int64(0)
			for _, l := range list {
				sum += l.Size
			}
			total := TotalSize(list)
			if want := sum - 3*list[0].Shared[0].Size; total != want {
				t.Fatalf("TotalSize = %d, want %d", total, want)
			}
			plan, err := PlanPrune(background(), dir, retention.MaxBytes(total), nil)
			if err != nil || len(plan.Removals()) != 0 || plan.Frees() != 0 {
				t.Fatalf("a limit of all there is removes %v, frees %d, %v, want nothing", plan.Removals(), plan.Frees(), err)
			}
			plan, err = PlanPrune(background(), dir, retention.Latest(1), nil)
			if err != nil {
				t.Fatal(err)
			}
			frees := plan.Frees()
			if err := plan.Do(background()); err != nil {
				t.Fatal(err)
			}
			if list, err = List(background(), dir, nil); err != nil || len(list) != 1 || total-list[0].Size != frees {
				t.Errorf("the plan was to free %d of %d, and left %v, %v", frees, total, list, err)
			}
		})
	}
}

// TestANewManagerCountsWhatIsSharedOnce: it learns of it from receipts, and on a
// disk from that; of what the state file lists and of what it does not.
func TestANewManagerCountsWhatIsSharedOnce(t *testing.T) {
	for place, dir := range sharedPlaces(t) {
		for _, told := range []bool{true, false} {
			for _, listed := range []bool{true, false} {
				if !told && place == "in memory" {
					continue // nobody knows
				}
				t.Run(fmt.Sprintf("%s, told %t, listed %t", place, told, listed), func(t *testing.T) {
					newManagerCounts(t, storage.Sub(dir, fmt.Sprintf("%t-%t", told, listed)), told, listed)
				})
			}
		}
	}
}

func newManagerCounts(t *testing.T, dir storage.Dir, told, listed bool) {
	policy, entries := retention.Policy(nil), 4
	if !listed {
		policy, entries = retention.MaxBytes(1<<40), 1
	}
	if err := sharedSavesBy(t, dir, 4, told, policy).Close(background()); err != nil {
		t.Fatal(err)
	}
	if s, err := ReadState(background(), dir); err != nil || len(s.AllModelCheckpointPaths) != entries {
		t.Fatalf("the state file lists %v, %v, want %d", s.AllModelCheckpointPaths, err, entries)
	}
	list, err := List(background(), dir, &ListOptions{Receipts: true})
	if err != nil {
		t.Fatal(err)
	}
	// Room for one more, which shares nothing, and not for another.
	limit := TotalSize(list) + list[3].Size + baseSize/2
	c := New(nil, Objects{"v": variable(make([]float32, baseSize/4)...)}, nil)
	m := newManager(t, c, dir, &ManagerOptions{Now: at(2000).tick, Retention: retention.MaxBytes(limit)})
	mustSave(t, m, nil)
	wantPaths(t, "checkpoints", onDisk(t, dir), "ckpt-1", "ckpt-2", "ckpt-3", "ckpt-4", "ckpt-5")
	mustSave(t, m, nil) // what the first four share goes with the last of them
	wantPaths(t, "checkpoints", onDisk(t, dir), "ckpt-5", "ckpt-6")
	if err := m.Close(background()); err != nil {
		t.Fatal(err)
	}
}

// TestACopiedDirectorySharesNothing whatever its receipts say.
func TestACopiedDirectorySharesNothing(t *testing.T) {
	from, to := mem.Dir(), local.Dir(t.TempDir())
	m := sharedSaves(t, from, 4, true)
	if err := m.Close(background()); err != nil {
		t.Fatal(err)
	}
	for info, err := range from.List(background(), "") {
		if err != nil {
			t.Fatal(err)
		}
		text, err := storage.ReadFile(background(), from, info.Name)
		if err == nil {
			err = storage.WriteFile(background(), to, info.Name, text)
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	list, err := List(background(), to, &ListOptions{Receipts: true})
	if err != nil {
		t.Fatal(err)
	}
	sum := int64(0)
	for _, l := range list {
		if sum += l.Size; len(l.Shared) != 0 {
			t.Errorf("%s shares %v, want nothing", l.Path, l.Shared)
		}
	}
	if got := TotalSize(list); got != sum {
		t.Errorf("TotalSize = %d, want %d", got, sum)
	}
}

// TestFilesAreNamedAlikeAsLongAsTheyAreOne: the receipt of the next save tells
// of the file that the newest has, by the receipts' name.
func TestFilesAreNamedAlikeAsLongAsTheyAreOne(t *testing.T) {
	file := func(n int, inode uint64) (*shelf.Set, Receipt) {
		name := fmt.Sprintf("ckpt-%d.data-00000-of-00001", n)
		sets := make(shelf.Sets)
		sets.Add(storage.Info{Name: name, Size: 5, ID: storage.FileID{Device: 1, Inode: inode}})
		r := Receipt{Files: []ReceiptFile{{Name: name, Size: 5, CRC32C: 7, Linked: "ckpt-1.data-00000-of-00001"}}}
		if n == 1 {
			r.Files[0].Linked = ""
		}
		return sets[fmt.Sprintf("ckpt-%d", n)], r
	}
	s := newSharing()
	names := make(map[int]string)
	for _, of := range [][2]uint64{{4, 10}, {3, 10}, {2, 20}, {1, 20}} { // 2 and 1 were copied, or mended
		set, r := file(int(of[0]), of[1])
		files := s.files(set, r)
		if len(files) != 1 || files[0].Size != 5 {
			t.Fatalf("files = %v, want one", files)
		}
		names[int(of[0])] = files[0].File
	}
	_, next := file(5, 10)
	if want := next.Shared()[0].File; names[4] != want || names[3] != want {
		t.Errorf("the newest are named %q and %q, want %q", names[4], names[3], want)
	}
	if names[2] != names[1] || names[1] == names[3] {
		t.Errorf("the others are named %q and %q, want them alike and not %q", names[2], names[1], names[3])
	}
	// A receipt that is not of this file says nothing.
	set, r := file(1, 30)
	r.Files[0].Size = 6
	if files := s.files(set, r); len(files) != 1 || strings.HasPrefix(files[0].File, "ckpt") {
		t.Errorf("a file that its receipt does not describe is %v", files)
	}
}

func TestManyFilesAreNotToldApartInVain(t *testing.T) {
	var r Receipt
	for i := range maxShared + 1 {
		r.Files = append(r.Files, ReceiptFile{Name: fmt.Sprintf("ckpt-1.data-%05d-of-00065", i), Size: 1})
	}
	if got := r.Shared(); len(got) != 0 {
		t.Errorf("Shared() of %d files that nobody has linked are %d, want none", len(r.Files), len(got))
	}
	r.Files[3].Linked = "ckpt-0.data-00000-of-00001"
	if got := r.Shared(); len(got) != len(r.Files) {
		t.Errorf("Shared() = %d files, want %d", len(got), len(r.Files))
	}
	r = Receipt{Files: []ReceiptFile{{Name: "ckpt-1.index", Size: 1}, {Name: "ckpt-1.data-00000-of-00001", Size: 2}}}
	if got := r.Shared(); len(got) != 1 || got[0].Size != 2 {
		t.Errorf("Shared() = %v, want the data file alone", got)
	}
}

// TestRoomIsMadeOfWhatBecomesFree: to remove what the newest has, too, frees
// nothing, and so one more goes; where all would not be enough, none does.
func TestRoomIsMadeOfWhatBecomesFree(t *testing.T) {
	m := newManager(t, New(nil, Objects{"v": variable(1)}, nil), mem.Dir(), nil)
	checkpoint := func(n int, own int64, files ...string) retention.Checkpoint {
		c := retention.Checkpoint{Path: fmt.Sprintf("ckpt-%d", n), Size: own, Time: time.Unix(int64(n), 0)}
		for _, f := range files {
			c.Size += 100
			c.Shared = append(c.Shared, retention.SharedFile{File: f, Size: 100})
		}
		return c
	}
	m.l.Active = []retention.Checkpoint{checkpoint(1, 10, "old"), checkpoint(2, 20, "old"), checkpoint(3, 30, "base"), checkpoint(4, 40, "base", "linked"), checkpoint(5, 0)}
	var victims []ledger.Judged
	for _, c := range m.l.Active[:4] {
		victims = append(victims, ledger.Judged{Checkpoint: c})
	}
	next := checkpoint(6, 50, "linked")
	for missing, want := range map[int64]int{1: 1, 10: 1, 11: 2, 130: 2, 131: 3, 160: 3, 161: 4, 300: 4, 301: 0} {
		if got := m.enough(victims, next, missing); len(got) != want {
			t.Errorf("to free %d, %d are removed, want %d", missing, len(got), want)
		}
	}
}

// TestRoomIsMadeByWhatIsListedWhereNoReceiptIsRead: a manager without a policy.
func TestRoomIsMadeByWhatIsListedWhereNoReceiptIsRead(t *testing.T) {
	dir := local.Dir(t.TempDir())
	m := sharedSaves(t, dir, 3, false)
	if err := m.survey(background()); err != nil {
		t.Fatal(err)
	}
	for i := range m.l.Active {
		m.l.Active[i].Size, m.l.Active[i].Shared = 0, nil // as a state file tells
	}
	victims := []ledger.Judged{{Checkpoint: m.l.Active[0]}, {Checkpoint: m.l.Active[1]}}
	set := m.files.sets["ckpt-1"]
	own := set.Size() - set.Data[0].Size
	for missing, want := range map[int64]int{own: 1, own + 1: 2, baseSize: 0} {
		if got := m.enough(victims, retention.Checkpoint{}, missing); len(got) != want {
			t.Errorf("to free %d, %d are removed, want %d", missing, len(got), want)
		}
	}
}
