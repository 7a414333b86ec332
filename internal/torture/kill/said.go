package main

import (
	"errors"
	"fmt"
	"os"
	"sync"

	"github.com/ckpt-dev/ckpt/internal/vfs/vfstest"
)

// What a victim writes to its standard output: for each operation of the file
// system that is about to happen one letter, and for what it does itself a line
// that begins with an exclamation mark. Each is one write, so that whatever the
// moment of the death, what was written was said whole.
//
//	!open                                  a manager is made
//	!restored PATH SERIAL DIGEST           or "- 0 0"
//	!save SERIAL DIGEST LOSS KEEP PIN N    is begun; over checkpoint N if that is not -1
//	!done SERIAL PATH                      is acknowledged
//	!pinned PATH                           is acknowledged
//	!unpin PATH                            is about to be
//	!closed                                all was well
type teller struct {
	mu     sync.Mutex
	failed error
}

var letters = map[string]byte{"create": 'c', "write": 'w', "sync": 's', "syncdir": 'd', "rename": 'r', "link": 'l', "unlink": 'u'}

// operation tells one of the file system; the others are a dot.
func (t *teller) operation(op vfstest.Op) error {
	letter, ok := letters[op.Verb]
	if !ok {
		letter = '.'
	}
	t.write([]byte{letter})
	return nil
}

func (t *teller) say(format string, args ...any) {
	t.write(fmt.Appendf(nil, "!"+format+"\n", args...))
}

func (t *teller) write(b []byte) {
	t.mu.Lock()
	defer t.mu.Unlock()
	_, err := os.Stdout.Write(b)
	t.failed = errors.Join(t.failed, err)
}
