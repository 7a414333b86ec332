package transfer

import (
	"bufio"
	"fmt"
	"io"
	"slices"

	"github.com/ckpt-dev/ckpt/format"
	"github.com/ckpt-dev/ckpt/tensor"
)

// VocabInfo says that one axis of a variable goes by a vocabulary, and that
// the checkpoint had another: each word keeps its row, or its column.
// (TensorFlow: tf.compat.v1.train.VocabInfo)
type VocabInfo struct {
	// NewVocab is the vocabulary here, a word for each row; see ReadVocab.
	// (TensorFlow: new_vocab)
	NewVocab []string
	// NewVocabSize is how many words of it count. 0: all.
	// (TensorFlow: new_vocab_size)
	NewVocabSize int
	// NumOOVBuckets is how many rows follow for other words.
	// (TensorFlow: num_oov_buckets)
	NumOOVBuckets int
	// OldVocab is the vocabulary of the checkpoint. (TensorFlow: old_vocab)
	OldVocab []string
	// OldVocabSize is how many words of it count. 0: all.
	// (TensorFlow: old_vocab_size)
	OldVocabSize int
	// BackupInitializer makes the values of rows that the checkpoint has not:
	// first of the new words, as one column, then of the OOV buckets. They
	// have the variable's dtype. Default: zeros.
	// (TensorFlow: backup_initializer)
	BackupInitializer func(shape tensor.Shape) (tensor.Tensor, error)
	// Axis is the one that goes by the vocabulary: 0 for embeddings, 1 for
	// the columns of an output layer. (TensorFlow: axis)
	Axis int
}

// maxWord bounds a line of a vocabulary.
const maxWord = 1 << 20

// ReadVocab reads a vocabulary file, a word a line.
func ReadVocab(r io.Reader) ([]string, error) {
	var words []string
	lines := bufio.NewScanner(r)
	lines.Buffer(nil, maxWord)
	for lines.Scan() {
		words = append(words, lines.Text())
	}
	if err := lines.Err(); err != nil {
		return nil, fmt.Errorf("vocabulary: line %d: %w", len(words)+1, err)
	}
	return words, nil
}

// remapping is how a tensor goes from one vocabulary to another.
type remapping struct {
	v    *VocabInfo
	old  format.Info
	info format.Info
	rows []int64 // for each word here its place in the checkpoint, or -1
}

// remapping checks a VocabInfo against the stored tensor.
func (v *VocabInfo) remapping(old format.Info) (*remapping, error) {
	words, err := firstWords("new", v.NewVocab, v.NewVocabSize)
	if err != nil {
		return nil, err
	}
	known, err := firstWords("old", v.OldVocab, v.OldVocabSize)
	if err != nil {
		return nil, err
	}
	switch {
	case v.Axis != 0 && v.Axis != 1:
		return nil, fmt.Errorf("vocabulary of axis %d, want 0 or 1", v.Axis)
	case v.NumOOVBuckets < 0:
		return nil, fmt.Errorf("%d OOV buckets, want 0 or more", v.NumOOVBuckets)
	case len(old.Shape) <= v.Axis:
		return nil, fmt.Errorf("vocabulary of axis %d, but the shape is %v", v.Axis, old.Shape)
	case old.DType.Size() == 0:
		return nil, fmt.Errorf("vocabulary of a %v tensor: %w", old.DType, format.ErrUnsupported)
	case old.Shape[v.Axis] < int64(len(known)):
		return nil, fmt.Errorf("the old vocabulary has %d words, but axis %d of %v is shorter", len(known), v.Axis, old.Shape)
	}
	r := &remapping{v: v, old: old, info: format.Info{DType: old.DType, Shape: slices.Clone(old.Shape)}}
	r.info.Shape[v.Axis] = int64(len(words) + v.NumOOVBuckets)
	if _, err := r.info.Shape.NumElements(); err != nil {
		return nil, err
	}
	r.rows, err = places(words, known)
	return r, err
}

func firstWords(which string, words []string, size int) ([]string, error) {
	switch {
	case len(words) == 0:
		return nil, fmt.Errorf("the %s vocabulary is empty", which)
	case size < 0 || size > len(words):
		return nil, fmt.Errorf("the %s vocabulary has %d words, want the first %d", which, len(words), size)
	case size > 0:
		words = words[:size]
	}
	return words, nil
}

func places(words, known []string) ([]int64, error) {
	at := make(map[string]int64, len(known))
	for i, w := range known {
		if first, twice := at[w]; twice {
			return nil, fmt.Errorf("the old vocabulary has %q twice, as %d and %d", w, first, i)
		}
		at[w] = int64(i)
	}
	rows := make([]int64, len(words))
	for i, w := range words {
		rows[i] = -1
		if row, ok := at[w]; ok {
			rows[i] = row
		}
	}
	return rows, nil
}

// load reads the tensor and gives each word here what it had there.
func (r *remapping) load(src format.Source, key string) (tensor.Tensor, error) {
	t, err := src.Tensor(key)
	if err != nil {
		return tensor.Tensor{}, err
	}
	inner := int64(r.old.DType.Size()) // bytes that go together
	for _, n := range r.old.Shape[r.v.Axis+1:] {
		inner *= n
	}
	outer := int64(1)
	for _, n := range r.old.Shape[:r.v.Axis] {
		outer *= n
	}
	fill, err := r.fillers(outer, inner)
	if err != nil {
		return tensor.Tensor{}, fmt.Errorf("%s: backup initializer: %w", key, err)
	}
	elements, err := r.info.Shape.NumElements()
	if err != nil {
		return tensor.Tensor{}, err
	}
	if elements == 0 { // the file has not paid for outer
		return tensor.FromBytes(r.info.DType, r.info.Shape, nil)
	}
	data := make([]byte, 0, elements*int64(r.old.DType.Size()))
	for o := range outer {
		from := t.Bytes()[o*r.old.Shape[r.v.Axis]*inner:]
		for _, row := range r.rows {
			if row >= 0 {
				data = append(data, from[row*inner:(row+1)*inner]...)
			} else {
				data = append(data, fill.words.take(inner)...)
			}
		}
		data = append(data, fill.oov.take(int64(r.v.NumOOVBuckets)*inner)...)
	}
	return tensor.FromBytes(r.info.DType, r.info.Shape, data)
}

// fillers are the values that the checkpoint does not have.
type fillers struct{ words, oov filler }

type filler []byte

func (f *filler) take(n int64) []byte {
	part := (*f)[:n]
	*f = (*f)[n:]
	return part
}

// fillers asks the initializer as TensorFlow does, once for the new words and
// once for the buckets (checkpoint_ops.py, _load_and_remap_matrix).
func (r *remapping) fillers(outer, inner int64) (fillers, error) {
	missing := int64(0)
	for _, row := range r.rows {
		if row < 0 {
			missing++
		}
	}
	size := int64(r.old.DType.Size())
	words, err := r.initial(tensor.Shape{missing * outer * inner / size, 1})
	if err != nil {
		return fillers{}, err
	}
	buckets := slices.Clone(r.info.Shape)
	buckets[r.v.Axis] = int64(r.v.NumOOVBuckets)
	oov, err := r.initial(buckets)
	return fillers{words, oov}, err
}

// initial returns the bytes of new values.
func (r *remapping) initial(shape tensor.Shape) (filler, error) {
	n, err := shape.NumElements()
	if err != nil || n == 0 {
		return nil, err
	}
	if r.v.BackupInitializer == nil {
		return make([]byte, n*int64(r.info.DType.Size())), nil
	}
	t, err := r.v.BackupInitializer(shape)
	if err == nil && (t.DType() != r.info.DType || !t.Shape().Equal(shape)) {
		err = fmt.Errorf("gave %v %v, want %v %v", t.DType(), t.Shape(), r.info.DType, shape)
	}
	return t.Bytes(), err
}
