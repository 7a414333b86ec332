package checkpoint

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"log/slog"
	"path"
	"strings"

	"github.com/ckpt-dev/ckpt/format"
	"github.com/ckpt-dev/ckpt/format/tensorbundle"
	"github.com/ckpt-dev/ckpt/internal/filename"
	"github.com/ckpt-dev/ckpt/internal/parity"
	"github.com/ckpt-dev/ckpt/internal/shelf"
	"github.com/ckpt-dev/ckpt/storage"
)

// mending is a file that may be damaged, and its parity.
type mending struct {
	name         string
	missing      bool
	data, parity parity.File // parity.ReaderAt is nil where there is none
	want         *parity.Want
	report       parity.Report
	useless      string // why the parity is of no use, "" if it is
	bad          error  // what is wrong with it for somebody who reads it
	left         bool   // its damage is not told
	done         bool
}

// file is what a format reads.
type file struct {
	io.ReaderAt
	size int64
}

// mending opens a file and its parity, and compares the two.
func (r *repairing) mending(name string) (*mending, error) {
	m := &mending{name: name, want: r.want(name)}
	var err error
	if m.data, m.missing, err = r.open(name); err != nil {
		return nil, err
	}
	beside, none, err := r.open(filename.OfParity(name))
	if err != nil {
		return nil, err
	}
	if none {
		m.useless = "it has no parity"
		return m, nil
	}
	m.parity = beside
	m.report, err = parity.Check(m.data, beside, m.want)
	switch {
	case errors.Is(err, format.ErrCorrupt), errors.Is(err, format.ErrUnsupported):
		m.useless, err = err.Error(), nil
		m.parity.ReaderAt = nil
	case err != nil:
		return nil, err
	}
	return m, err
}

// open opens a file; one that is missing is an empty one.
func (r *repairing) open(name string) (f parity.File, missing bool, err error) {
	opened, err := r.dir.Open(r.ctx, name)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return parity.File{ReaderAt: strings.NewReader("")}, true, nil
	case err != nil:
		return parity.File{}, false, err
	}
	r.opened = append(r.opened, opened)
	return parity.File{ReaderAt: opened, Size: opened.Size()}, false, nil
}

// want returns what the receipt says of a file.
func (r *repairing) want(name string) *parity.Want {
	if r.receipt == nil {
		return nil
	}
	f, ok := r.receipt.file(path.Base(name))
	if !ok {
		return nil
	}
	return &parity.Want{Size: f.Size, CRC32C: f.CRC32C}
}

// shard returns a data file.
func (r *repairing) shard(i int) (*mending, error) {
	if m := r.data[i]; m != nil {
		return m, nil
	}
	m, err := r.mending(tensorbundle.DataName(r.path, i, r.shards))
	if err == nil {
		r.data[i] = m
	}
	return m, err
}

// openData gives a bundle's reader the data as it is after mending.
func (r *repairing) openData(shard, _ int) (io.ReaderAt, int64, error) {
	m, err := r.shard(shard)
	if err != nil {
		return nil, 0, err
	}
	f := m.made()
	return f, f.size, nil
}

// asIs returns the file as it is.
func (m *mending) asIs() file { return file{m.data, m.data.Size} }

// made returns the file as parity makes it, which without parity is as it is.
func (m *mending) made() file {
	if m.parity.ReaderAt == nil {
		return m.asIs()
	}
	p, err := parity.NewReader(m.data, m.parity, m.want)
	if err != nil { // and no error when it was checked a moment ago
		return m.asIs()
	}
	return file{p, p.Size()}
}

// damaged reports whether the file is known not to be what was written.
func (m *mending) damaged() bool {
	r := &m.report
	return !m.left && (m.missing || m.bad != nil || r.Repaired+r.Lost+r.Extra > 0)
}

// whole reports whether parity gives all of the file, damaged or not.
func (m *mending) whole() bool { return m.parity.ReaderAt != nil && m.report.Whole() }

func (m *mending) fixable() bool { return m.damaged() && m.whole() }

// blame notes that the file cannot be mended as somebody needs it.
func (m *mending) blame(err error) {
	if m.bad == nil {
		m.bad = err
	}
}

// forget is for a file that is good enough as it is.
func (m *mending) forget() { m.left = true }

// writeTo writes the file as it was.
func (m *mending) writeTo(w io.Writer) error {
	report, err := parity.Repair(m.data, m.parity, m.want, w)
	if err == nil && !report.Whole() {
		err = fmt.Errorf("%s: it gets worse while it is read: %w", m.name, format.ErrCorrupt)
	}
	return err
}

func (m *mending) told() Mended {
	t := Mended{File: m.name, Bad: m.report.Repaired + m.report.Lost, Lost: m.report.Lost, Fixable: m.fixable(), Done: m.done}
	for _, b := range m.report.Bad {
		t.Offsets = append(t.Offsets, b.Offset)
	}
	if !t.Fixable {
		t.Reason = m.why()
	}
	return t
}

// why says why the file cannot be mended.
func (m *mending) why() string {
	switch {
	case m.useless != "":
		return m.useless
	case m.report.Lost > 0:
		return fmt.Sprintf("%d of %d bad blocks share their stripe with another, or the parity there is bad too", m.report.Lost, m.report.Lost+m.report.Repaired)
	}
	return "the parity is bad in the same places"
}

// firstLost returns where the first block is that cannot be made again.
func (m *mending) firstLost() int64 {
	for _, b := range m.report.Bad {
		if b.Lost {
			return b.Offset
		}
	}
	return 0
}

// mendable says where there is parity that may undo the damage.
func mendable(ctx context.Context, dir storage.Dir, path string, err error) error {
	if !isBad(err) || storage.CheckName("open", path) != nil {
		return err
	}
	if !hasParity(ctx, dir, path) {
		return err
	}
	return fmt.Errorf("%w (it has parity: 'ckpt doctor DIR --deep --fix', or Repair, may mend it)", err)
}

// hasParity reports whether there is parity of a checkpoint. That it cannot be
// looked at is not what the caller asked about.
func hasParity(ctx context.Context, dir storage.Dir, path string) bool {
	is, err := shelf.Exists(ctx, dir, filename.OfParity(tensorbundle.IndexName(path)))
	return is && err == nil
}

// mendNow lets parity mend a checkpoint that was found damaged, for who holds
// the writers' lock; dir is Guarded's. It returns none if that cannot be done.
func mendNow(ctx context.Context, dir storage.Dir, path string, why error, log *slog.Logger) ([]Mended, error) {
	if !hasParity(ctx, dir, path) {
		return nil, nil
	}
	list, err := repairAlone(ctx, dir, path)
	switch {
	case isDamage(err):
		log.Warn("the parity of a damaged checkpoint cannot mend it", "path", path, "err", err)
		return nil, nil
	case err != nil:
		return nil, fmt.Errorf("repair %s: %w", path, err)
	}
	for _, m := range list {
		log.Warn("mended a damaged checkpoint by its parity", "path", path, "file", m.File, "blocks", m.Bad, "damage", why)
	}
	return list, nil
}
