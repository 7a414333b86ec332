package local

import (
	"os"
	"syscall"

	"golang.org/x/sys/windows"
)

// flushing opens a file that is only to be flushed, for which Windows wants the
// right to write to it.
const flushing = os.O_RDWR

// linkless are the errors of a system that does not make a link.
var linkless = []error{syscall.EPERM, windows.ERROR_INVALID_FUNCTION, windows.ERROR_NOT_SAME_DEVICE, windows.ERROR_TOO_MANY_LINKS}
