package store

import (
	"crypto/rand"
	"encoding/base32"
	"strings"
)

// A name is 128 random bits in base 32 (RFC 4648 section 6, lower case), and ".jpg".
const (
	nameBytes        = 16
	nameLetters      = 26
	nameSuffix       = ".jpg"
	unfinishedSuffix = ".part" // after the whole name, while a file is written
)

var letters = base32.NewEncoding("abcdefghijklmnopqrstuvwxyz234567").WithPadding(base32.NoPadding)

func newName() string {
	var b [nameBytes]byte
	rand.Read(b[:]) // never fails: crypto/rand ends the program instead
	return letters.EncodeToString(b[:]) + nameSuffix
}

// IsName reports whether s is the name of a picture, such as newName makes: the last
// part of its URI. Nothing else becomes a path.
func IsName(s string) bool {
	stem, ok := strings.CutSuffix(s, nameSuffix)
	if !ok || len(stem) != nameLetters {
		return false
	}
	for i := range len(stem) {
		if c := stem[i]; (c < 'a' || c > 'z') && (c < '2' || c > '7') {
			return false
		}
	}
	return true
}
