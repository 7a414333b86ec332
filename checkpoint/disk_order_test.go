package checkpoint

import (
	"regexp"
	"strings"
	"testing"

	"github.com/ckpt-dev/ckpt/internal/golden"
	"github.com/ckpt-dev/ckpt/internal/vfs"
	"github.com/ckpt-dev/ckpt/internal/vfs/vfstest"
	"github.com/ckpt-dev/ckpt/storage/local"
)

var (
	tempFile   = regexp.MustCompile(`\.ckpt\.tmp-[A-Z2-7]+`)
	publishing = regexp.MustCompile(`^(sync|syncdir|rename|link|unlink) `)
)

// TestOrderOfASaveOnADisk is the order of the package comment down to the
// calls that make it durable. A flush or an order that goes missing shows here.
func TestOrderOfASaveOnADisk(t *testing.T) {
	root := t.TempDir()
	disk, record := vfstest.Record(vfs.OS())
	take := func(heading string) string {
		var lines []string
		for _, op := range record.Take() {
			if !strings.HasPrefix(op.Path, root) {
				continue // the directory's own name is flushed once, too
			}
			line := strings.ReplaceAll(strings.ReplaceAll(op.String(), root+"/", ""), root, ".")
			if line = tempFile.ReplaceAllString(line, "TEMP"); publishing.MatchString(line) {
				lines = append(lines, line)
			}
		}
		return "# " + heading + "\n" + strings.Join(lines, "\n") + "\n\n"
	}
	c, _ := one(1)
	m := newManager(t, c, local.DirOn(disk, root), &ManagerOptions{MaxToKeep: 1, Now: at(1000).tick})
	mustSave(t, m, nil)
	text := take("the first save")
	mustSave(t, m, nil)
	text += take("a save with a sweep")
	mustSave(t, m, &SaveOptions{CheckpointNumber: number64(2)})
	text += take("the number is used again")
	golden.Equal(t, "disk_order.txt", []byte(text))
}
