package history

import (
	"fmt"
	"hash/crc32"
	"strings"
)

const (
	suffix        = ".history"
	newSuffix     = ".new"
	damagedSuffix = ".damaged"
)

// fileName is the file of a quantity. People see what it is; what makes it differ from all others is
// the checksum: names may have any letters, and some file systems do not distinguish capitals.
func fileName(k Key) string {
	return fmt.Sprintf("%s.%s.%08x%s", plain(k.Thing), plain(k.Quantity), crc32.ChecksumIEEE([]byte(k.text())), suffix)
}

// plain is a name in at most 40 lower-case letters, digits, _ and -.
func plain(name string) string {
	name = strings.Map(func(r rune) rune {
		switch {
		case r >= 'a' && r <= 'z', r >= '0' && r <= '9', r == '-':
			return r
		case r >= 'A' && r <= 'Z':
			return r - 'A' + 'a'
		}
		return '_'
	}, name)
	return name[:min(len(name), 40)]
}
