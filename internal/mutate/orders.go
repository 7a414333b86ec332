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
