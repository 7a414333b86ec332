package main

import (
	"fmt"
	"strconv"
	"strings"
)

// order is a rule of the order of things that no operator can see. The pieces
// of old text take their new form, with MUTANT for whether the mutant is on.
type order struct {
	file  string
	what  string
	texts [][2]string // old, new: of as many lines
}

var orders = []order{
	{"storage/local/pending.go", "the rename before the flush", [][2]string{
		{"err := p.flush()\n\tif err == nil {\n\t\terr = p.publish()", "first, then := mutantSwap(MUTANT, func() error { return p.flush() }, func() error { return p.publish() }); err := first()\n\tif err == nil {\n\t\terr = then()"},
	}},
	{"storage/local/pending.go", "a write that failed is forgotten", [][2]string{
		{"p.err = p.d.failed(op, p.path, err)", "failed := p.d.failed(op, p.path, err); if MUTANT { return failed }; p.err = failed"},
	}},
	{"storage/local/new.go", "a new file over an old one", [][2]string{
		{"p.d.fsys.Link(p.temp, p.path)", "mutantPick(MUTANT, p.d.fsys.Rename, p.d.fsys.Link)(p.temp, p.path)"},
	}},
	{"storage/local/local.go", "a directory that is there is taken for durable", [][2]string{
		{"err = d.fsys.SyncDir(parent)", "if missing || !MUTANT { err = d.fsys.SyncDir(parent) }"},
	}},
	{"internal/shelf/recovery.go", "the index gets its second name first", [][2]string{
		{"range append(s.Others(), s.Index.Name)", "range mutantPick(MUTANT, append([]string{s.Index.Name}, s.Others()...), append(s.Others(), s.Index.Name))"},
	}},
	{"internal/shelf/recovery.go", "a rolled back receipt before data and index", [][2]string{
		{"range waves {\n\t\tfor", "range mutantBackward(MUTANT, waves) {\n\t\tfor"},
	}},
	{"internal/shelf/recovery.go", "a recovery set counts without its index", [][2]string{
		{"len(main.Data) > 0) && rec.Complete()", "len(main.Data) > 0) && (rec.Complete() || MUTANT)"},
	}},
	{"internal/shelf/recovery.go", "what is in place is believed against the recovery set", [][2]string{
		{"files, err := described(ctx, dir, main, told)\n\t\tif err", "files, err := described(ctx, dir, main, told); if MUTANT && files == nil { files = []File{} }\n\t\tif err"},
	}},
	{"internal/publish/replace.go", "an overwrite without a recovery set", [][2]string{
		{"if w.main.Complete() {\n\t\tif err := shelf.Link", "if w.main.Complete() && !MUTANT {\n\t\tif err := shelf.Link"},
	}},
	{"internal/publish/workers.go", "the index before all workers' data", [][2]string{
		{"if err := w.publishData(ctx, out, failed); err != nil {\n\t\treturn err\n\t}\n\treturn storage.CommitAll(ctx, w.Dir, out.indexLast(w.replaces())...)",
			"first, then := mutantSwap(MUTANT, func() error { return w.publishData(ctx, out, failed) }, func() error { return storage.CommitAll(ctx, w.Dir, out.indexLast(w.replaces())...) }); if err := first(); err != nil {\n\t\treturn err\n\t}\n\treturn then()"},
	}},
	{"internal/publish/protect.go", "the state file before the index", [][2]string{
		{"return [][]storage.Pending{{o.index}, after}", "return mutantPick(MUTANT, [][]storage.Pending{after, {o.index}}, [][]storage.Pending{{o.index}, after})"},
	}},
	{"internal/publish/publish.go", "all in one wave, the index with what is linked", [][2]string{
		{"append([][]storage.Pending{first}, out.indexLast(false)...)...", "mutantOne(MUTANT, append([][]storage.Pending{first}, out.indexLast(false)...))..."},
	}},
	{"internal/publish/publish.go", "the base stays after a commit that failed", [][2]string{
		{"w.Lineage.remember(nil) // of", "if !MUTANT { w.Lineage.remember(nil) } // of"},
	}},
	{"internal/publish/plan.go", "what is written over something is linked", [][2]string{
		{"if is {\n\t\tb = nil", "if is && !MUTANT {\n\t\tb = nil"},
	}},
	{"internal/publish/plan.go", "a tensor of another dtype or shape is the same", [][2]string{
		{"!was.isLike(t):", "!was.isLike(t) && !MUTANT:"},
	}},
	{"internal/publish/plan.go", "a promise of before a restore holds", [][2]string{
		{"b.doubts == doubts\n", "(b.doubts == doubts || MUTANT)\n"},
	}},
	{"internal/publish/plan.go", "a promise that was broken is believed again", [][2]string{
		{"k.sum = nil", "if !MUTANT { k.sum = nil }"},
	}},
	{"internal/publish/plan.go", "what uses a file is not counted", [][2]string{
		{"w.plan.base.files[f].uses.Add(1)", "if !MUTANT { w.plan.base.files[f].uses.Add(1) }"},
	}},
	{"internal/publish/plan.go", "what a failed save has counted stays", [][2]string{
		{"p.base.files[f].uses.Add(-1)", "if !MUTANT { p.base.files[f].uses.Add(-1) }"},
	}},
	{"internal/publish/plan.go", "what a failed save has counted is taken back twice", [][2]string{
		{"\t\tp.counted = false\n", "\t\tp.counted = MUTANT\n"},
	}},
	{"internal/publish/plan.go", "the links of a save that was given up stay", [][2]string{
		{"return p.drop()\n", "if MUTANT { return nil }; return p.drop()\n"},
	}},
	{"internal/publish/link.go", "what lies where the base was is linked", [][2]string{
		{"if !again {\n", "if !again && !MUTANT {\n"},
	}},
	{"internal/publish/link.go", "a file of another size is the same", [][2]string{
		{"is.Size == was.Size", "(is.Size == was.Size || MUTANT)"},
	}},
	{"internal/publish/link.go", "another file is the same", [][2]string{
		{"is.ID == was.ID", "(is.ID == was.ID || MUTANT)"},
	}},
	{"internal/publish/link.go", "a file that was written to is the same", [][2]string{
		{"is.ModTime.Equal(was.ModTime)", "(is.ModTime.Equal(was.ModTime) || MUTANT)"},
	}},
	{"internal/publish/link.go", "other parity is the same", [][2]string{
		{"!w.Protect || isSame(now, f.parity.info))", "!w.Protect || MUTANT || isSame(now, f.parity.info))"},
	}},
	{"internal/publish/lineage.go", "a restore raises no doubt", [][2]string{
		{"l.doubts++", "if !MUTANT { l.doubts++ }"},
	}},
	{"internal/publish/lineage.go", "what is known to be damaged is linked", [][2]string{
		{"{ l.remember(nil) }", "{ if !MUTANT { l.remember(nil) } }"},
	}},
	{"internal/publish/split.go", "a file is shared for ever", [][2]string{
		{"f.uses < int64(r.Rewrite)", "(f.uses < int64(r.Rewrite) || MUTANT)"},
	}},
	{"internal/publish/split.go", "a file of mostly useless bytes is linked", [][2]string{
		{"used[i] >= f.size-used[i]", "(used[i] >= f.size-used[i] || MUTANT)"},
	}},
	{"internal/publish/content.go", "contents are not compared", [][2]string{
		{"l.digest(b[:n]) != d {", "l.digest(b[:n]) != d && !MUTANT {"},
	}},
	{"internal/publish/shards.go", "a frozen tensor may change while it is written", [][2]string{
		{"if !f.w.Lineage.isOf(sum, t.Tensor.Bytes()) {", "if !f.w.Lineage.isOf(sum, t.Tensor.Bytes()) && !MUTANT {"},
	}},
	{"storage/local/share.go", "what a link leads to is shared", [][2]string{
		{"case info.Mode()&fs.ModeSymlink != 0:", "case info.Mode()&fs.ModeSymlink != 0 && !MUTANT:"},
	}},
	{"storage/local/share.go", "a second name is as old as its bytes", [][2]string{
		{"sharedPrefix); shared {", "sharedPrefix); shared && !MUTANT {"},
	}},
	{"storage/local/pending.go", "what is shared is not flushed", [][2]string{
		{"if err := p.fail(\"flush\", p.f.Sync()); err != nil {", "if err := p.fail(\"flush\", func() error { if MUTANT && p.shared { return nil }; return p.f.Sync() }()); err != nil {"},
	}},
	{"checkpoint/manager_sweep.go", "no second look at pins and leases before a sweep", [][2]string{
		{"return m.settle(ctx, dir, s)\n\t})", "return m.settle(ctx, dir, mutantPick(MUTANT, first, s))\n\t})"},
	}},
	{"checkpoint/manager_sweep.go", "the time of the last preserved one is not made durable", [][2]string{
		{"write = storage.WriteFile\n", "write = mutantPick(MUTANT, storage.WriteFileSoon, storage.WriteFile)\n"},
	}},
	{"checkpoint/orphan.go", "a pinned one that lost its index is removed", [][2]string{
		{`case r.Pinned != "":`, `case r.Pinned != "" && !MUTANT:`},
	}},
	{"checkpoint/orphan.go", "what parity could bring back is removed", [][2]string{
		{"is || err != nil {", "is && !MUTANT || err != nil {"},
	}},
	{"checkpoint/orphan.go", "data is removed though nothing newer is whole", [][2]string{
		{"case whole.newerThan(r):", "case whole.newerThan(r) || MUTANT:"},
	}},
	{"checkpoint/orphan.go", "data of other sizes than the receipt's is removed", [][2]string{
		{"!ok || f.Size != d.Size", "(!ok || f.Size != d.Size) && !MUTANT"},
	}},
	{"checkpoint/quarantine_move.go", "the index is put aside first", [][2]string{
		{"range slices.Concat(others, indexes) {", "range mutantPick(MUTANT, slices.Concat(indexes, others), slices.Concat(others, indexes)) {"},
	}},
	{"checkpoint/quarantine_back.go", "the index is put back first", [][2]string{
		{"range slices.Concat(l.others, l.indexes) {\n\t\tto :=", "range mutantPick(MUTANT, slices.Concat(l.indexes, l.others), slices.Concat(l.others, l.indexes)) {\n\t\tto :="},
	}},
	{"checkpoint/quarantine.go", "the last one left is put aside", [][2]string{
		{"return \"\", ErrLastLeft", "if MUTANT { return q.put(ctx, p) }; return \"\", ErrLastLeft"},
	}},
	{"checkpoint/quarantine.go", "no second reading before one is put aside", [][2]string{
		{"case cause == nil:\n\t\treturn nil, ErrWhole", "case cause == nil && MUTANT:\n\t\treturn ErrWhole, nil; case cause == nil: return nil, ErrWhole"},
	}},
	{"checkpoint/receipt_sum.go", "a receipt without its checksum is believed", [][2]string{
		{"if !summed && r.Schema < sumSchema {", "if !summed && (r.Schema < sumSchema || MUTANT) {"},
	}},
	{"checkpoint/receipt_sum.go", "a receipt that does not end as one is believed", [][2]string{
		{"if digits == nil {", "if digits == nil && MUTANT { return r, nil }; if digits == nil {"},
	}},
	{"internal/fence/lock.go", "a token is taken from a holder that lives", [][2]string{
		{"now.text != seen.text:", "now.text != seen.text && !MUTANT:"},
	}},
	{"internal/fence/lock.go", "what a former holder has announced is forgotten", [][2]string{
		{"l.asleep[n] = t", "if !MUTANT { l.asleep[n] = t }"},
	}},
	{"internal/fence/lease.go", "changes are not announced", [][2]string{
		{"l.note.Paths = append(slices.Clip(l.note.Paths), p)", "if !MUTANT { l.note.Paths = append(slices.Clip(l.note.Paths), p) }"},
	}},
	{"internal/fence/lease.go", "a lost lease is not noticed", [][2]string{
		{"slices.Max(list) == l.number {", "(slices.Max(list) == l.number || MUTANT) {"},
	}},
}

// apply writes the rules into the text, which has to be there once.
func (c *code) apply(list []order) error {
	for _, o := range list {
		if o.file != c.file {
			continue
		}
		id := 0
		for _, t := range o.texts {
			if n := strings.Count(c.text, t[0]); n != 1 {
				return fmt.Errorf("%s: %q is there %d times, want once: the rule %q needs another text", c.file, t[0], n, o.what)
			}
			if strings.Count(t[0], "\n") != strings.Count(t[1], "\n") {
				return fmt.Errorf("%s: %q and what it becomes have not as many lines", c.file, t[0])
			}
			if id == 0 {
				id = c.add(strings.Index(c.text, t[0]), o.what)
			}
			c.text = strings.Replace(c.text, t[0], strings.ReplaceAll(t[1], "MUTANT", "mutantOn("+strconv.Itoa(id)+")"), 1)
		}
	}
	return nil
}
