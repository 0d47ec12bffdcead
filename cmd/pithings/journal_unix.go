//go:build unix

package main

import (
	"fmt"
	"os"
	"syscall"
)

// toJournal reports whether f is a stream to the journal of systemd. systemd.exec(5)
// says of $JOURNAL_STREAM: it has device and inode of the standard error or, if that
// does not go to the journal, output, and is to be compared with those of the file,
// since the variable is inherited by whatever a service starts, such as the shell of a
// desktop's terminal.
func toJournal(f *os.File) bool {
	info, err := f.Stat()
	if err != nil {
		return false
	}
	st, ok := info.Sys().(*syscall.Stat_t)
	return ok && os.Getenv("JOURNAL_STREAM") == fmt.Sprintf("%d:%d", st.Dev, st.Ino)
}

// service reports whether this process is a service of systemd, whose id is in
// $INVOCATION_ID, and its output goes to the journal. With StandardOutput=journal and
// StandardError=journal set apart each has a socket of its own, of which the variable
// names one.
func service() bool {
	if os.Getenv("INVOCATION_ID") == "" {
		return false
	}
	info, err := os.Stdout.Stat()
	return toJournal(os.Stdout) || err == nil && info.Mode()&os.ModeSocket != 0 && toJournal(os.Stderr)
}
