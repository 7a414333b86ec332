package checkpoint

import (
	"cmp"
	"fmt"
	"path"
	"slices"

	"github.com/ckpt-dev/ckpt/internal/filename"
	"github.com/ckpt-dev/ckpt/internal/shelf"
	"github.com/ckpt-dev/ckpt/retention"
	"github.com/ckpt-dev/ckpt/storage"
)

// maxShared bounds the files of a checkpoint that are told apart though nothing
// says that any is shared: a policy has them in memory, of each checkpoint. Who
// shares at all makes few files.
const maxShared = 64

// Shared returns those of its files that other checkpoints may have, too, as
// retention counts them. A file is named by how it was first written: the name
// that it had then, its size and its checksum.
func (r Receipt) Shared() []retention.SharedFile {
	all := slices.Concat(r.Files, r.Parity)
	if len(all) > maxShared && !slices.ContainsFunc(all, func(f ReceiptFile) bool { return f.Linked != "" }) {
		return nil
	}
	var files []retention.SharedFile
	for _, f := range all {
		if n, ok := filename.Parse(f.Name); ok && n.Part == filename.Index {
			continue // it tells of this checkpoint alone
		}
		files = append(files, retention.SharedFile{File: f.origin(), Size: f.Size})
	}
	return files
}

// origin names the file however many names it has by now.
func (f ReceiptFile) origin() string {
	return fmt.Sprintf("%s %d %08x", cmp.Or(f.Linked, f.Name), f.Size, f.CRC32C)
}

// sharing names files as they are on the disk. What two receipts take for one
// file may be two by now, where somebody has copied the directory or mended one
// of them, and one may have several names that no receipt tells of. Where the
// place tells which names are of one file, that is what counts.
type sharing struct {
	origins map[storage.FileID]string
	ids     map[string]storage.FileID
}

func newSharing() *sharing {
	return &sharing{make(map[storage.FileID]string), make(map[string]storage.FileID)}
}

// files is Receipt.Shared for what is there. Of several files that receipts take
// for one, that which is asked for first keeps the name.
func (s *sharing) files(set *shelf.Set, r Receipt) []retention.SharedFile {
	told := make(map[string]ReceiptFile)
	for _, f := range slices.Concat(r.Files, r.Parity) {
		told[f.Name] = f
	}
	infos := slices.Clone(set.Parity)
	for _, d := range set.Data {
		infos = append(infos, d.Info)
	}
	if len(infos) > maxShared && len(r.Shared()) == 0 {
		return nil
	}
	var files []retention.SharedFile
	for _, info := range infos {
		name := ""
		if f, is := told[path.Base(info.Name)]; is && f.Size == info.Size {
			name = f.origin()
		}
		if name = s.name(info.ID, name); name != "" {
			files = append(files, retention.SharedFile{File: name, Size: info.Size})
		}
	}
	return files
}

// name returns what the file id is called, "" if nobody knows. origin is what a
// receipt calls it.
func (s *sharing) name(id storage.FileID, origin string) string {
	if id == (storage.FileID{}) {
		return origin
	}
	if name, known := s.origins[id]; known {
		return name
	}
	name := origin
	if other, taken := s.ids[origin]; origin == "" || taken && other != id {
		name = fmt.Sprintf("%s on %x %x", origin, id.Device, id.Inode)
	}
	s.origins[id], s.ids[name] = name, id
	return name
}
