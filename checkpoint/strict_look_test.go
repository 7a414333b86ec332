package checkpoint

import (
	"errors"
	"fmt"
	"io/fs"
	"slices"
	"strings"
	"time"

	"github.com/ckpt-dev/ckpt/internal/filename"
	"github.com/ckpt-dev/ckpt/internal/shelf"
	"github.com/ckpt-dev/ckpt/internal/vfs/vfstest"
	"github.com/ckpt-dev/ckpt/storage"
	"github.com/ckpt-dev/ckpt/storage/local"
)

// look looks at what a power cut left: as a reader, then as the next writer, and
// then again after another cut, which loses what that has not flushed.
func (p *power) look(pt point, at string, left *vfstest.Strict) {
	p.Helper()
	before := left.Clone()
	l := &looker{p: p, model: pt.model, disk: left, dir: local.DirOn(left, strictRoot)}
	l.read("a reader")
	if len(l.problems) == 0 {
		l.goOn()
	}
	if len(l.problems) == 0 {
		return
	}
	var lines []string
	for i, item := range pt.disk.Pending() {
		lines = append(lines, fmt.Sprintf("%d %s", i, item))
	}
	p.Errorf("power cut %q after %q; repeat it with %s='%s'\nfound: %s\nwanted: %+v, under way %+v, possible %v\nnot flushed:\n  %s\nleft:\n  %s",
		at, pt.op, cutEnv, at, strings.Join(l.problems, "\n       "), pt.model.lists, pt.model.begun, pt.model.were,
		strings.Join(lines, "\n  "), strings.Join(strictNames(before, "/"), "\n  "))
}

func strictNames(disk *vfstest.Strict, dir string) (names []string) {
	entries, err := disk.ReadDir(dir)
	if err != nil {
		return []string{err.Error()}
	}
	for _, e := range entries {
		if e.IsDir() {
			names = append(names, strictNames(disk, dir+e.Name()+"/")...)
			continue
		}
		info, err := e.Info()
		if err != nil {
			return []string{err.Error()}
		}
		names = append(names, fmt.Sprintf("%s%s (%d)", dir, e.Name(), info.Size()))
	}
	return names
}

// looker looks at what is left, and collects what is wrong.
type looker struct {
	p        *power
	model    model
	disk     *vfstest.Strict
	dir      storage.Dir
	problems []string
}

func (l *looker) wrong(format string, args ...any) {
	l.problems = append(l.problems, fmt.Sprintf(format, args...))
}

// lists returns the lists that may be true, without what is being removed: those
// of what was acknowledged, and those with the first one, two ... of what was
// under way.
func (l *looker) lists() [][]acked {
	lists := l.listsAndGoing()
	for i, list := range lists {
		lists[i] = slices.DeleteFunc(slices.Clone(list), func(s acked) bool { return s.going })
	}
	return lists
}

// listsAndGoing returns those lists with what is being removed: of that, each
// may still be there.
func (l *looker) listsAndGoing() (lists [][]acked) {
	for _, list := range l.model.lists {
		lists = append(lists, list)
		for _, s := range l.model.begun {
			list = l.p.after(list, s)
			lists = append(lists, list)
		}
	}
	return lists
}

// newest returns what the newest may hold; none: there may be none at all.
func (l *looker) newest(valid bool) (serials []float32, none bool) {
	for _, list := range l.lists() {
		found := false
		for _, s := range slices.Backward(list) {
			if valid && s.marks["rejected"] && !s.unsure["rejected"] {
				continue
			}
			serials = append(serials, s.serial)
			if found = !valid || !s.unsure["rejected"]; found {
				break
			}
		}
		none = none || !found
	}
	for _, s := range slices.Concat(l.model.lists...) {
		if s.going {
			serials = append(serials, s.serial)
		}
	}
	return serials, none
}

// required returns what must be there whatever list is true, how many there are
// at least, and what each path may hold.
func (l *looker) required(more ...acked) (paths map[string][]acked, floor int) {
	votes := make(map[string]int)
	paths = make(map[string][]acked)
	lists := l.lists()
	for i, list := range lists {
		for _, s := range more {
			list = l.p.after(list, s)
		}
		kept := l.p.kept(list)
		if i == 0 || len(kept) < floor {
			floor = len(kept)
		}
		for _, s := range kept {
			votes[s.path]++
			paths[s.path] = append(paths[s.path], s)
		}
	}
	for path, n := range votes {
		if n < len(lists) {
			delete(paths, path)
		}
	}
	return paths, floor
}

// restore restores a checkpoint into fresh objects and returns its serial number.
func (l *looker) restore(path string) (float32, error) {
	c, v := l.p.objects()
	if _, err := c.Restore(background(), l.dir, path); err != nil {
		return 0, err
	}
	serial, err := serialOf(v)
	if err == nil && l.p.steady {
		err = l.verify(c, path, serial)
	}
	return serial, err
}

func serialOf(v *variableF) (float32, error) {
	serial := v.Value[0]
	if !slices.Equal(v.Value, weights(serial)) {
		return serial, fmt.Errorf("values are mixed: they begin with %v", v.Value[:3])
	}
	return serial, nil
}

// read checks what a reader finds, who changes nothing.
func (l *looker) read(who string, more ...acked) {
	digest := l.disk.Digest(unread)
	l.readNewest(who, more)
	l.readAll(who, more)
	if l.disk.Digest(unread) != digest {
		l.wrong("%s has changed the directory", who)
	}
}

func (l *looker) readNewest(who string, more []acked) {
	for valid, latest := range map[bool]func() (string, error){
		false: func() (string, error) { return Latest(background(), l.dir) },
		true: func() (string, error) {
			path, _, err := LatestValid(background(), l.dir, nil)
			return path, err
		},
	} {
		want, none := l.newest(valid)
		if len(more) > 0 {
			want, none = []float32{more[len(more)-1].serial}, false
		}
		path, err := latest()
		if errors.Is(err, fs.ErrNotExist) && none {
			continue
		}
		if err != nil {
			l.wrong("%s: newest (valid %v) = %v, want one of %v", who, valid, err, want)
			continue
		}
		if got, err := l.restore(path); err != nil || !slices.Contains(want, got) {
			l.wrong("%s: newest (valid %v) is %s with %v, %v, want one of %v", who, valid, path, got, err, want)
		}
	}
}

// readAll checks that what is listed as complete can be restored, and that
// what must be there is.
func (l *looker) readAll(who string, more []acked) {
	list, err := List(background(), l.dir, &ListOptions{Receipts: true})
	if err != nil {
		l.wrong("%s: List = %v", who, err)
		return
	}
	found := make(map[string]float32)
	for _, e := range list {
		if !e.Complete {
			continue
		}
		serial, err := l.restore(e.Path)
		if err != nil {
			l.wrong("%s: %s is listed and cannot be restored: %v", who, e.Path, err)
			continue
		}
		found[e.Path] = serial
		if may := l.model.were[e.Path]; !slices.Contains(may, serial) && !isAmong(more, e.Path, serial) {
			l.wrong("%s: %s holds %v, want one of %v", who, e.Path, serial, may)
		}
	}
	paths, floor := l.required(more...)
	for _, s := range l.p.foreign {
		if got, err := l.restore(s.path); err != nil || got != s.serial {
			l.wrong("%s: the neighbour %s holds %v, %v, want %v", who, s.path, got, err, s.serial)
		}
	}
	for path, may := range paths {
		serial, there := found[path]
		if !there {
			l.wrong("%s: %s is not there", who, path)
			continue
		}
		if i := slices.IndexFunc(may, func(s acked) bool { return s.serial == serial }); i < 0 {
			l.wrong("%s: %s holds %v, want %+v", who, path, serial, may)
		} else {
			l.readMarks(who, may[i])
		}
	}
	if len(found) < floor {
		l.wrong("%s: %d checkpoints can be restored, want %d", who, len(found), floor)
	}
}

func isAmong(list []acked, path string, serial float32) bool {
	return slices.ContainsFunc(list, func(s acked) bool { return s.path == path && s.serial == serial })
}

// readMarks checks what was acknowledged to be marked.
func (l *looker) readMarks(who string, s acked) {
	if len(s.marks) == 0 {
		return
	}
	at, err := locatePath(background(), l.dir, s.path)
	if err != nil {
		l.wrong("%s: %v", who, err)
		return
	}
	r, err := ReadReceipt(background(), l.dir, at.Stored)
	if err != nil {
		l.wrong("%s: %v", who, err)
		return
	}
	for mark, is := range map[string]bool{"pinned": r.Pinned != "", "rejected": r.Rejected != "", "tagged": len(r.Tags) > 0} {
		if want, set := s.marks[mark]; set && is != want && !s.unsure[mark] {
			l.wrong("%s: %s is %s: %v, want %v", who, s.path, mark, is, want)
		}
	}
}

const nextSerial = 500

// goOn checks what the next writer does, and leaves.
func (l *looker) goOn() {
	next := acked{path: l.write(), serial: nextSerial, loss: nextSerial}
	if len(l.problems) > 0 {
		return
	}
	l.leftovers(l.disk, l.dir)
	l.read("a reader after the next save", next)
	if l.p.kills {
		return
	}
	l.disk = l.disk.Crash(vfstest.LoseAll())
	l.dir = local.DirOn(l.disk, strictRoot)
	l.read("a reader after the next save and another cut", next)
}

// write saves once, as the next writer. It returns as what.
func (l *looker) write() string {
	l.disk.Advance(2 * time.Hour) // temporary files are given up for dead
	if l.p.plain == "" {
		return l.writeManaged()
	}
	l.writePlain()
	return l.p.plain
}

func (l *looker) writePlain() {
	c, v := l.p.objects()
	setTo(c, v, nextSerial)
	if err := c.Write(background(), l.dir, l.p.plain); err != nil {
		l.wrong("Write = %v", err)
	}
}

// writeManaged restores the newest and saves once.
func (l *looker) writeManaged() string {
	c, v := l.p.objects()
	o := l.p.o
	o.Async, o.Now = nil, at(1000+nextSerial).now
	m, err := NewManager(background(), c, l.dir, &o)
	if err != nil {
		l.wrong("NewManager = %v", err)
		return ""
	}
	defer func() {
		if err := m.Close(background()); err != nil {
			l.wrong("Close = %v", err)
		}
	}()
	want, none := l.newest(true)
	path, err := m.RestoreOrInitialize(background())
	if err != nil {
		l.wrong("RestoreOrInitialize = %v", err)
	} else if got, err := serialOf(v); path != "" && (err != nil || !slices.Contains(want, got)) || path == "" && !none {
		l.wrong("RestoreOrInitialize = %q with %v, %v, want one of %v", path, got, err, want)
	}
	setTo(c, v, nextSerial)
	path, err = m.Save(background(), &SaveOptions{Metrics: map[string]float64{"loss": nextSerial}})
	if err != nil {
		l.wrong("Save = %v", err)
	}
	known := 0
	for _, list := range l.model.lists {
		if slices.ContainsFunc(list, func(s acked) bool { return s.path == path && !s.going }) {
			known++
		}
	}
	if known == len(l.model.lists) {
		l.wrong("Save = %q, which was acknowledged before", path)
	}
	l.managed(m)
	return path
}

// managed checks that the manager knows all checkpoints of its name, but those
// that stay for a reason of their own.
func (l *looker) managed(m *Manager) {
	sets, err := shelf.Scan(background(), l.dir, m.l.Name+"-")
	if err != nil {
		l.wrong("%v", err)
	}
	for path, s := range sets {
		if l.lonely(s) || l.going(path) {
			continue
		}
		if _, mine := filename.NumberOf(m.l.Name, path); !mine || slices.Contains(m.Checkpoints(), path) {
			continue
		}
		if r, err := ReadReceipt(background(), l.dir, path); err != nil || r.Kept+r.Retained+r.Pinned == "" && r.Writer == WriterManager {
			l.wrong("nobody manages %s, %v", path, err)
		}
	}
}

// lonely reports whether a data file was left without a receipt, where that
// cannot be helped: nothing says that it is ours, and not TensorFlow's, just
// being written. Where names reach the disk in order it does not come to that.
func (l *looker) lonely(s *shelf.Set) bool {
	return !l.p.journal && s.Index == nil && s.Receipt == nil && !strings.HasSuffix(s.Path, filename.RecoverySuffix)
}

// going reports whether somebody has begun to remove the checkpoint path: the
// state file forgets it first.
func (l *looker) going(path string) bool {
	return slices.ContainsFunc(slices.Concat(l.model.lists...), func(s acked) bool { return s.going && s.path == path })
}

// leftovers checks that nothing is left of what was under way.
func (l *looker) leftovers(disk *vfstest.Strict, dir storage.Dir) {
	entries, err := disk.ReadDir(strictRoot)
	if err != nil {
		l.wrong("%v", err)
	}
	for _, e := range entries {
		if strings.HasPrefix(e.Name(), ".ckpt.tmp-") {
			l.wrong("a temporary file stays: %s", e.Name())
		}
	}
	sets, err := shelf.Scan(background(), dir, "")
	if err != nil {
		l.wrong("%v", err)
	}
	for path, s := range sets {
		if l.lonely(s) {
			continue
		}
		if !s.Complete() || len(s.Data) != s.Shards() || strings.HasSuffix(path, filename.RecoverySuffix) {
			l.wrong("leftovers of %s stay: index %v, %v", path, s.Index != nil, s.Others())
		}
	}
}
