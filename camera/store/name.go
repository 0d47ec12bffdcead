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
	var id ID
	rand.Read(id[:]) // never fails: crypto/rand ends the program instead
	return id.Name()
}

// ID is what the name of a picture stands for.
type ID [nameBytes]byte

// Name returns the name of the picture.
func (id ID) Name() string { return letters.EncodeToString(id[:]) + nameSuffix }

// IDOf returns what a name stands for. It is false of all that Name does not return.
func IDOf(name string) (id ID, ok bool) {
	if !IsName(name) {
		return id, false
	}
	if _, err := letters.Decode(id[:], []byte(name[:nameLetters])); err != nil {
		return id, false
	}
	return id, id.Name() == name // the last letter has bits to spare
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
