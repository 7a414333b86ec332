package checkpoint

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/ckpt-dev/ckpt/internal/dirlock"
	"github.com/ckpt-dev/ckpt/internal/filename"
	"github.com/ckpt-dev/ckpt/retention"
	"github.com/ckpt-dev/ckpt/storage"
)

// ErrPlanChanged is what Plan.Do wraps when the directory is not as it was
// when the plan was made. Nothing was removed then.
var ErrPlanChanged = errors.New("the directory has changed since the plan was made")

// PlanOptions are about one plan. Nil and zero values are the defaults.
type PlanOptions struct {
	// Name restricts the plan to one manager's checkpoints, "ckpt" to
	// "ckpt-7" and the like. Default: all names, each judged by itself.
	Name string
	// Foreign includes what no manager wrote and the state file does not list:
	// what a TensorFlow manager has preserved, for one. Its name must end in a
	// number even so.
	Foreign bool
	// Now is the clock that tells which leases have run out. Default: time.Now.
	Now func() time.Time
}

// Plan says what a policy makes of the checkpoints of a directory.
type Plan struct {
	Checkpoints []Planned // by name, of each from the oldest to the newest

	dir    storage.Dir
	policy retention.Policy
	o      PlanOptions
	place  map[string]int         // in the state file, from 1
	all    []retention.Checkpoint // what is there, judged or not; of each its size alone
}

// Planned is a checkpoint and its verdict.
type Planned struct {
	retention.Checkpoint
	retention.Verdict
}

// PlanPrune judges the checkpoints of dir by a policy and changes nothing. It
// needs no Manager, and judges what no manager would any more: what was
// preserved for good, too. Checkpoints that are not complete, and those of
// TensorFlow 1, it leaves out.
func PlanPrune(ctx context.Context, dir storage.Dir, policy retention.Policy, o *PlanOptions) (*Plan, error) {
	p := &Plan{dir: dir, policy: policy}
	if o != nil {
		p.o = *o
	}
	if p.o.Now == nil {
		p.o.Now = time.Now
	}
	if err := p.make(ctx, p.o.Now); err != nil { // a look writes nothing, also not to see the time
		return nil, fmt.Errorf("plan: %w", err)
	}
	return p, nil
}

func (p *Plan) make(ctx context.Context, leaseTime func() time.Time) error {
	list, err := List(ctx, p.dir, &ListOptions{Receipts: true})
	if err != nil {
		return err
	}
	held, err := holders(ctx, p.dir, leaseTime, func(string) bool { return true })
	if err != nil {
		return err
	}
	if p.place, err = placesInState(ctx, p.dir); err != nil {
		return err
	}
	var names []string
	groups := make(map[string][]Listing)
	for _, l := range list {
		if unlessIO(l.ReceiptErr) != nil { // it may say that it is pinned
			return l.ReceiptErr
		}
		p.all = append(p.all, retention.Checkpoint{Path: l.Path, Size: l.Size, Shared: l.Shared})
		if l.Leased = held[l.Path]; p.concerns(l) {
			name, _, _ := filename.SplitNumber(l.Path)
			if groups[name] == nil {
				names = append(names, name)
			}
			groups[name] = append(groups[name], l)
		}
	}
	for _, name := range names {
		planned, err := p.judge(ctx, groups[name])
		if err != nil {
			return err
		}
		p.Checkpoints = append(p.Checkpoints, planned...)
	}
	return nil
}

// concerns reports whether the plan is about a checkpoint at all.
func (p *Plan) concerns(l Listing) bool {
	name, _, numbered := filename.SplitNumber(l.Path)
	if !numbered || !filename.OfDirectory(l.Path) || !l.Complete || l.Format != FormatV2 || p.o.Name != "" && name != p.o.Name {
		return false
	}
	return p.o.Foreign || l.Managed || l.Receipt != nil && l.Receipt.Writer == WriterManager
}

// judge judges the checkpoints of one name.
func (p *Plan) judge(ctx context.Context, group []Listing) ([]Planned, error) {
	inOrderOfSaving(group, p.place)
	planned := make([]Planned, len(group))
	list := make([]retention.Checkpoint, len(group))
	for i, l := range group {
		c := retention.Checkpoint{Path: l.Path, Time: l.Time}
		if l.Receipt != nil {
			c = l.Receipt.checkpoint(l.Path, l.Time)
		}
		if l.ReceiptErr != nil {
			c.Pinned = maybePinned
		}
		c.Size, c.Shared, c.Leased = l.Size, l.Shared, l.Leased
		list[i] = c
	}
	if err := p.verifyNewest(ctx, group, list); err != nil {
		return nil, err
	}
	for i, v := range retention.Judge(p.policy, list) {
		if group[i].Latest && v.Fate == retention.Remove {
			v = retention.Verdict{Fate: retention.Keep, Reason: "the latest by the state file: never removed", Floor: true}
		}
		planned[i] = Planned{list[i], v}
	}
	return planned, nil
}

// placesInState returns the places of checkpoints in the state file.
func placesInState(ctx context.Context, dir storage.Dir) (map[string]int, error) {
	s, err := readIfUsable(ctx, dir)
	place := make(map[string]int)
	for i, entry := range s.AllModelCheckpointPaths {
		if p, _, ok := filename.Local(entry); ok {
			place[p] = i + 1
		}
	}
	return place, err
}

// inOrderOfSaving sorts by the save counters, if every receipt has one of its
// own; else the numbers in the names have to do, by which List sorts. Where
// the state file has another order a counter has begun anew, and times tell.
func inOrderOfSaving(group []Listing, place map[string]int) {
	seen := make(map[int64]bool)
	for _, l := range group {
		if l.Receipt == nil || l.Receipt.SaveCounter <= 0 || seen[l.Receipt.SaveCounter] {
			return
		}
		seen[l.Receipt.SaveCounter] = true
	}
	slices.SortFunc(group, func(a, b Listing) int { return cmp.Compare(a.Receipt.SaveCounter, b.Receipt.SaveCounter) })
	last := 0
	for _, l := range group {
		at, listed := place[l.Path]
		if listed && at < last {
			slices.SortStableFunc(group, func(a, b Listing) int { return a.Time.Compare(b.Time) })
			return
		}
		last = max(last, at)
	}
}

// verifyNewest finds the newest checkpoint that is whole, every checksum read,
// and that no restore has rejected: to read one is cheap beside removing all
// others.
func (p *Plan) verifyNewest(ctx context.Context, group []Listing, list []retention.Checkpoint) error {
	for i, l := range slices.Backward(group) {
		if l.Receipt != nil && l.Receipt.Rejected != "" {
			continue
		}
		err := verifyWhole(ctx, p.dir, l.Path)
		if list[i].Verified = err == nil; err == nil {
			return nil
		}
		// One that could not be read this time may well be whole.
		if unlessIO(err) != nil && !isDamage(err) {
			return err
		}
	}
	return nil
}

func verifyWhole(ctx context.Context, dir storage.Dir, path string) error {
	r, err := Load(ctx, dir, path)
	if err != nil {
		return err
	}
	return closing(r, r.Verify(ctx, nil))
}

// Removals returns what the plan removes.
func (p *Plan) Removals() []Planned {
	return slices.DeleteFunc(slices.Clone(p.Checkpoints), func(c Planned) bool { return c.Fate != retention.Remove })
}

// Frees returns how many bytes become free when the plan is done. What a
// checkpoint that stays shares with one that goes, of whatever name, is not
// among them.
func (p *Plan) Frees() int64 {
	gone := make(map[string]bool)
	for _, c := range p.Removals() {
		gone[c.Path] = true
	}
	stay := slices.DeleteFunc(slices.Clone(p.all), func(c retention.Checkpoint) bool { return gone[c.Path] })
	return retention.TotalSize(p.all) - retention.TotalSize(stay)
}

// Do removes what the plan says, and nothing else. If the directory is not as
// it was, if something was saved, pinned or leased since, it removes nothing
// and returns an error that wraps ErrPlanChanged. While another process writes
// to the directory the error wraps storage.ErrLocked: its manager has a policy
// of its own. A manager of this process should not be at work there either.
func (p *Plan) Do(ctx context.Context) error {
	err := dirlock.Exclusive(ctx, p.dir, func(dir storage.Dir) error {
		return dirlock.BetweenSweeps(ctx, dir, dirlock.PinPatience, func(dir storage.Dir) error { return p.doAlone(ctx, dir) })
	})
	if err != nil {
		return fmt.Errorf("prune: %w", err)
	}
	return nil
}

func (p *Plan) doAlone(ctx context.Context, dir storage.Dir) error {
	if err := p.check(ctx, dir); err != nil {
		return err
	}
	var paths []string
	for _, c := range p.Removals() {
		paths = append(paths, c.Path)
	}
	return removeAlone(ctx, dir, paths)
}

// check makes the plan anew and compares.
func (p *Plan) check(ctx context.Context, dir storage.Dir) error {
	now := &Plan{dir: p.dir, policy: p.policy, o: p.o}
	if err := now.make(ctx, placeTime(ctx, dir, untold)); err != nil {
		return err
	}
	for i, c := range now.Checkpoints {
		if i >= len(p.Checkpoints) || p.Checkpoints[i].Path != c.Path {
			return fmt.Errorf("%s: %w", c.Path, ErrPlanChanged)
		}
		if was := p.Checkpoints[i]; was.Verdict != c.Verdict {
			return fmt.Errorf("%s: is now to %v (%s): %w", c.Path, c.Fate, c.Reason, ErrPlanChanged)
		}
	}
	if len(now.Checkpoints) < len(p.Checkpoints) {
		return fmt.Errorf("%s: %w", p.Checkpoints[len(now.Checkpoints)].Path, ErrPlanChanged)
	}
	return nil
}
