package local_test

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/ckpt-dev/ckpt/internal/golden"
	"github.com/ckpt-dev/ckpt/internal/vfs"
	"github.com/ckpt-dev/ckpt/internal/vfs/vfstest"
	"github.com/ckpt-dev/ckpt/storage"
	"github.com/ckpt-dev/ckpt/storage/local"
)

// A scenario is what the golden traces and the fault tests both do.
type scenario struct {
	name  string
	files []string // there before, each with the content "old"
	waves [][]string
	run   func(ctx context.Context, d storage.Dir, waves [][]string) error
}

var scenarios = []scenario{
	{"write_file", []string{"state"}, [][]string{{"state"}}, writeAlone},
	{"publish_file", []string{"state"}, [][]string{{"state"}}, publishAlone},
	{"write_file_in_new_directory", nil, [][]string{{"new/deep/state"}}, writeAlone},
	{"commit_all", []string{"data", "index", "state"},
		[][]string{{"data", "more/data", "receipt"}, {"index"}, {"state"}}, commitWaves},
	{"remove_all", []string{"index-1", "index-2", "data-1", "data-2", "more/data-2"},
		[][]string{{"index-1", "index-2"}, {"data-1", "data-2", "more/data-2", "gone"}}, removeWaves},
	{"link", []string{"data"}, [][]string{{"data-recovery"}}, linkAlone},
	{"share", []string{"data", "index"}, [][]string{{"data-2", "more/data-3"}, {"index"}}, shareWaves},
	{"share_itself", []string{"data"}, [][]string{{"data"}}, shareWaves},
}

func writeAlone(ctx context.Context, d storage.Dir, waves [][]string) error {
	return storage.WriteFile(ctx, d, waves[0][0], []byte("new"))
}

func publishAlone(ctx context.Context, d storage.Dir, waves [][]string) error {
	return storage.WriteFileSoon(ctx, d, waves[0][0], []byte("new"))
}

func commitWaves(ctx context.Context, d storage.Dir, waves [][]string) error {
	pending := make([][]storage.Pending, len(waves))
	for i, wave := range waves {
		for _, name := range wave {
			p, err := d.Create(ctx, name)
			if err != nil {
				return err
			}
			defer p.Discard() // has nothing to do, or its error is not the first
			if _, err := p.Write([]byte("new")); err != nil {
				return err
			}
			pending[i] = append(pending[i], p)
		}
	}
	return storage.CommitAll(ctx, d, pending...)
}

func removeWaves(ctx context.Context, d storage.Dir, waves [][]string) error {
	return storage.RemoveAll(ctx, d, waves...)
}

func linkAlone(ctx context.Context, d storage.Dir, waves [][]string) error {
	return storage.Link(ctx, d, "data", waves[0][0])
}

func shareWaves(ctx context.Context, d storage.Dir, waves [][]string) error {
	return shareOf(ctx, d, "data", waves)
}

// shareOf makes what is called data of the file data, and writes the rest.
func shareOf(ctx context.Context, d storage.Dir, data string, waves [][]string) error {
	pending := make([][]storage.Pending, len(waves))
	for i, wave := range waves {
		for _, name := range wave {
			p, err := shareOrCreate(ctx, d, data, name)
			if err != nil {
				return err
			}
			defer p.Discard() // has nothing to do, or its error is not the first
			pending[i] = append(pending[i], p)
		}
	}
	return storage.CommitAll(ctx, d, pending...)
}

func shareOrCreate(ctx context.Context, d storage.Dir, data, name string) (storage.Pending, error) {
	if isShared(name) {
		return storage.Share(ctx, d, data, name)
	}
	p, err := d.Create(ctx, name)
	if err == nil {
		_, err = p.Write([]byte("new"))
	}
	return p, err
}

func isShared(name string) bool { return strings.HasPrefix(filepath.Base(name), "data") }

// before makes the directory as the scenario wants to find it.
func (s scenario) before(t *testing.T) (root string) {
	t.Helper()
	root = t.TempDir()
	for _, name := range s.files {
		path := filepath.Join(root, name)
		if err := os.MkdirAll(filepath.Dir(path), 0o777); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte("old"), 0o666); err != nil {
			t.Fatal(err)
		}
	}
	return root
}

func TestOrderOfOperations(t *testing.T) {
	for _, s := range scenarios {
		t.Run(s.name, func(t *testing.T) {
			root := s.before(t)
			fsys, recorder := vfstest.Record(vfs.OS())
			if err := s.run(t.Context(), local.DirOn(fsys, root), s.waves); err != nil {
				t.Fatal(err)
			}
			golden.Equal(t, s.name+".txt", []byte(traceText(root, recorder.Take())))
		})
	}
}

var tempName = regexp.MustCompile(`\.ckpt\.tmp-(shared-\d+-)?[A-Z2-7]+`)

// traceText is the same for the same operations: random names are numbered,
// what happens side by side is sorted, and what was there above is left out.
func traceText(root string, ops []vfstest.Op) string {
	var lines []string
	numbers := map[string]string{}
	for _, op := range ops {
		if !strings.HasPrefix(op.Path, root) {
			continue
		}
		line := strings.ReplaceAll(op.String(), root+"/", "")
		line = strings.ReplaceAll(line, root, ".")
		lines = append(lines, tempName.ReplaceAllStringFunc(line, func(name string) string {
			if numbers[name] == "" {
				numbers[name] = fmt.Sprintf(".ckpt.tmp-%d", len(numbers)+1)
				if strings.Contains(name, "shared") {
					numbers[name] += "-shared"
				}
			}
			return numbers[name]
		}))
	}
	sortRuns(lines)
	return strings.Join(lines, "\n") + "\n"
}

// sortRuns sorts each run of lines that the flushes of CommitAll make.
func sortRuns(lines []string) {
	concurrent := func(line string) bool {
		return strings.HasPrefix(line, "sync ") || strings.HasPrefix(line, "close ") || strings.HasPrefix(line, "write ")
	}
	order := func(a, b string) int {
		verbs := []string{"write", "sync", "close"}
		verbA, fileA, _ := strings.Cut(a, " ")
		verbB, fileB, _ := strings.Cut(b, " ")
		if c := strings.Compare(fields(fileA), fields(fileB)); c != 0 {
			return c
		}
		return slices.Index(verbs, verbA) - slices.Index(verbs, verbB)
	}
	for i := 0; i < len(lines); i++ {
		j := i
		for j < len(lines) && concurrent(lines[j]) {
			j++
		}
		slices.SortFunc(lines[i:j], order)
		i = j
	}
}

func fields(file string) string {
	name, _, _ := strings.Cut(file, " ")
	return name
}
