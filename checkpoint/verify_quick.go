package checkpoint

import (
	"context"
	"errors"
	"io/fs"
	"path"
	"strings"

	"github.com/ckpt-dev/ckpt/format"
	"github.com/ckpt-dev/ckpt/format/tensorbundle"
	"github.com/ckpt-dev/ckpt/internal/filename"
)

// VerifyQuick checks what can be checked without reading tensors: that every
// data file is there and as long as the index needs it, and by the receipt, if
// there is one, the sizes of the files and the checksum of the index. The
// index itself was read and verified when the Reader was made. It returns the
// first that is wrong.
func (r *Reader) VerifyQuick(ctx context.Context) error {
	if r.v2 == nil {
		return nil // opening has read its tables
	}
	if err := r.quickData(ctx); err != nil {
		return err
	}
	rc, err := r.Receipt(ctx)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return err
	}
	return r.quickReceipt(ctx, rc)
}

// quickData compares the data files with what the index says is in them.
func (r *Reader) quickData(ctx context.Context) error {
	ends := make(map[int]tensorbundle.Entry)
	for _, name := range r.v2.Names() {
		parts, err := r.parts(name)
		if err != nil {
			return r.named(err)
		}
		for _, e := range parts {
			if last := ends[e.Shard]; e.Offset+e.Size > last.Offset+last.Size {
				ends[e.Shard] = e
			}
		}
	}
	for i := range r.shards {
		if err := ctx.Err(); err != nil {
			return err
		}
		f, err := r.files.File(tensorbundle.DataName(r.stored, i, r.shards))
		if err != nil {
			return err
		}
		if e, ok := ends[i]; ok && e.Offset+e.Size > f.Size {
			return r.named(&format.CorruptError{Part: f.Name, Tensor: e.Name, Offset: e.Offset, Length: e.Size, Reason: "the file ends before it"})
		}
	}
	return nil
}

// parts returns where the bytes of a tensor lie.
func (r *Reader) parts(name string) ([]tensorbundle.Entry, error) {
	parts, err := r.v2.Slices(name)
	if err == nil && len(parts) == 0 {
		var e tensorbundle.Entry
		e, err = r.v2.Entry(name)
		parts = append(parts, e)
	}
	return parts, err
}

// quickReceipt compares the files with what the receipt says of them.
func (r *Reader) quickReceipt(ctx context.Context, rc Receipt) error {
	if rc.silent() {
		return nil
	}
	if _, ok := rc.file(path.Base(tensorbundle.IndexName(r.path))); !ok {
		return flawed(ReceiptName(r.stored), "does not list the index")
	}
	v := &verifier{r: r}
	for _, want := range rc.Files {
		name := r.stored + strings.TrimPrefix(want.Name, path.Base(r.path))
		f, part, err := v.sized(name, want)
		if err == nil && part.Part == filename.Index {
			err = v.summed(f, want)
		}
		if err != nil {
			return err
		}
		if err := ctx.Err(); err != nil {
			return err
		}
	}
	return nil
}

// silent reports whether the receipt says nothing about files: somebody has
// marked a checkpoint that another program wrote.
func (r Receipt) silent() bool { return len(r.Files) == 0 && r.Writer == "" }
