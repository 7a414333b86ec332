//go:build !windows

package local

import (
	"os"
	"syscall"
)

// flushing opens a file that is only to be flushed.
const flushing = os.O_RDONLY

// linkless are the errors of a system that does not make a link: in this file
// system, of this file of somebody else's (Linux's fs.protected_hardlinks),
// between file systems, or of a file that has too many names.
var linkless = []error{syscall.EPERM, syscall.EXDEV, syscall.EMLINK}
