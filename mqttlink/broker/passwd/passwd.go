// Package passwd makes and checks hashes of passwords. It reads two formats:
//
//	$argon2id$v=19$m=19456,t=2,p=1$SALT$HASH   RFC 9106, as Hash makes them
//	$7$ITERATIONS$SALT$HASH                    PBKDF2 with SHA-512, of mosquitto_passwd 2
//
// Salt and hash are base64, in the second format with padding. What a hash may ask
// of this machine is bounded when it is parsed, not when a password is checked.
package passwd

import (
	"crypto/pbkdf2"
	"crypto/rand"
	"crypto/sha512"
	"crypto/subtle"
	"encoding/base64"
	"errors"
	"fmt"
	"strconv"
	"strings"

	"golang.org/x/crypto/argon2"
)

// The cost of the hashes that are made: the second recommendation of the OWASP
// password storage cheat sheet. A Pi Zero needs 1 to 2 s for one.
const (
	memory  = 19 << 10 // KiB
	passes  = 2
	lanes   = 1
	saltLen = 16 // bytes
	hashLen = 32
)

// What a hash from elsewhere may cost.
const (
	maxMemory     = 64 << 10 // KiB
	maxPasses     = 10
	maxLanes      = 4
	maxIterations = 1_000_000
	maxText       = 1024 // bytes of a hash in its text form
	maxBytes      = 128  // of a salt or hash
)

// MaxPassword is the length of the longest password, in bytes.
const MaxPassword = 1024

// ErrFormat is wrapped when a text is not the hash of a password.
var ErrFormat = errors.New("not a password hash; make one with: pithings hash-password")

// Hash is a parsed hash. The zero value matches no password.
type Hash struct {
	salt, sum  []byte
	memory     uint32 // KiB; argon2id if not 0
	passes     uint32
	lanes      uint8
	iterations int // PBKDF2 if not 0
}

// New returns the hash of a password in its text form.
func New(password string) (string, error) {
	if err := check(password); err != nil {
		return "", err
	}
	salt := make([]byte, saltLen)
	rand.Read(salt) // never fails
	sum := argon2.IDKey([]byte(password), salt, passes, memory, lanes, hashLen)
	b := base64.RawStdEncoding
	return fmt.Sprintf("$argon2id$v=%d$m=%d,t=%d,p=%d$%s$%s", argon2.Version, memory, passes, lanes, b.EncodeToString(salt), b.EncodeToString(sum)), nil
}

func check(password string) error {
	switch {
	case password == "":
		return errors.New("the password is empty")
	case len(password) > MaxPassword:
		return fmt.Errorf("the password has %d bytes; %d are the limit", len(password), MaxPassword)
	}
	return nil
}

// Parse reads a hash. The error does not quote it.
func Parse(text string) (Hash, error) {
	if len(text) > maxText {
		return Hash{}, fmt.Errorf("longer than %d bytes: %w", maxText, ErrFormat)
	}
	fields := strings.Split(text, "$")
	if fields[0] != "" || len(fields) < 2 {
		return Hash{}, ErrFormat
	}
	switch fields[1] {
	case "argon2id":
		return parseArgon2id(fields)
	case "7":
		return parsePBKDF2(fields)
	case "6":
		return Hash{}, errors.New("$6$ hashes are made by mosquitto_passwd before version 2 and are too quick to try; make a new one with: pithings hash-password")
	}
	return Hash{}, fmt.Errorf("format $%.16s$ is unknown: %w", fields[1], ErrFormat)
}

func parseArgon2id(fields []string) (Hash, error) {
	if len(fields) != 6 || fields[2] != "v="+strconv.Itoa(argon2.Version) {
		return Hash{}, ErrFormat
	}
	var m, t, p uint64
	costs := strings.Split(fields[3], ",")
	if len(costs) != 3 {
		return Hash{}, ErrFormat
	}
	for i, c := range []struct {
		prefix string
		to     *uint64
	}{{"m=", &m}, {"t=", &t}, {"p=", &p}} {
		digits, ok := strings.CutPrefix(costs[i], c.prefix)
		n, err := strconv.ParseUint(digits, 10, 32)
		if !ok || err != nil || n == 0 {
			return Hash{}, ErrFormat
		}
		*c.to = n
	}
	if m > maxMemory || t > maxPasses || p > maxLanes {
		return Hash{}, fmt.Errorf("argon2id with m=%d,t=%d,p=%d costs too much here; the limits are m=%d,t=%d,p=%d", m, t, p, maxMemory, maxPasses, maxLanes)
	}
	salt, sum, err := saltAndSum(base64.RawStdEncoding, fields[4], fields[5])
	return Hash{salt: salt, sum: sum, memory: uint32(m), passes: uint32(t), lanes: uint8(p)}, err
}

func parsePBKDF2(fields []string) (Hash, error) {
	if len(fields) != 5 {
		return Hash{}, ErrFormat
	}
	n, err := strconv.Atoi(fields[2])
	if err != nil || n < 1 {
		return Hash{}, ErrFormat
	}
	if n > maxIterations {
		return Hash{}, fmt.Errorf("PBKDF2 with %d iterations costs too much here; the limit is %d", n, maxIterations)
	}
	salt, sum, err := saltAndSum(base64.StdEncoding, fields[3], fields[4])
	return Hash{salt: salt, sum: sum, iterations: n}, err
}

func saltAndSum(b *base64.Encoding, salt, sum string) (_, _ []byte, err error) {
	s, err1 := b.Strict().DecodeString(salt)
	h, err2 := b.Strict().DecodeString(sum)
	if err1 != nil || err2 != nil || len(s) < 8 || len(h) < 16 || len(s) > maxBytes || len(h) > maxBytes {
		return nil, nil, ErrFormat
	}
	return s, h, nil
}

// Memory is how many bytes Matches takes.
func (h Hash) Memory() int { return int(h.memory) << 10 }

// Matches reports whether a password has this hash. It takes the hash's memory and
// time for as long as it runs: a caller on behalf of strangers limits how
// often.
func (h Hash) Matches(password string) bool {
	if check(password) != nil || len(h.sum) == 0 {
		return false
	}
	var sum []byte
	if h.iterations > 0 {
		var err error
		if sum, err = pbkdf2.Key(sha512.New, password, h.salt, h.iterations, len(h.sum)); err != nil {
			return false
		}
	} else {
		sum = argon2.IDKey([]byte(password), h.salt, h.passes, h.memory, h.lanes, uint32(len(h.sum)))
	}
	return subtle.ConstantTimeCompare(sum, h.sum) == 1
}
