package provision

import (
	"fmt"
	"os"
	"runtime"
	"strings"

	"pithings/mqttlink/certs"
)

// CheckMode refuses a private key of ours that other users, or a group, can read or change. A file
// that is not there is for its reader to report.
func CheckMode(path string) error {
	info, err := os.Stat(path)
	if err != nil || runtime.GOOS == "windows" || info.Mode().Perm()&0o077 == 0 {
		return nil
	}
	return fmt.Errorf("private key %s is open to other users (mode %04o); if none of them has taken it: chmod 600 %s", path, info.Mode().Perm(), Quote(path))
}

// CheckGiven is CheckMode for a private key that another program has put somewhere: one that its
// owner has opened to a group on purpose is accepted.
func CheckGiven(path string) error {
	if !certs.Exposed(path) {
		return nil
	}
	return fmt.Errorf("private key %s is open to every user of this machine: chmod 600 %s", path, Quote(path))
}

// Quote writes a word for a POSIX shell, in quotes if it needs them.
func Quote(word string) string {
	plain := word != "" && !strings.ContainsFunc(word, func(r rune) bool {
		return !(r >= 'a' && r <= 'z' || r >= 'A' && r <= 'Z' || r >= '0' && r <= '9' || strings.ContainsRune("/._-+:@%,=", r))
	})
	if plain {
		return word
	}
	return "'" + strings.ReplaceAll(word, "'", `'\''`) + "'"
}
