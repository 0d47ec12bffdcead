package access

import (
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"net/netip"
	"path/filepath"
	"time"

	"pithings/mqttlink/durable"
)

// Folder is where the credentials are in a state folder.
const Folder = "web-access"

// maxFile bounds the file of credentials, in bytes: that of maxTokens has 100 kB.
const maxFile = 1 << 20

// kept is the file of credentials. Nothing in it lets anyone in.
type kept struct {
	PasswordHash string  `json:"password_hash,omitempty"`
	Tokens       []Token `json:"tokens,omitempty"`
}

// Token is a token that was given out, but for its secret.
type Token struct {
	Name    string         `json:"name"`
	Role    string         `json:"role"`
	From    []netip.Prefix `json:"from,omitempty"` // none: from everywhere
	SHA256  string         `json:"sha256,omitempty"`
	Created time.Time      `json:"created"`
	Used    string         `json:"used,omitempty"` // the last day, in UTC
}

func fileIn(state string) string { return filepath.Join(state, Folder, "credentials") }

// read reads the credentials of a state folder; without a file there are none.
func read(state string) (k kept, err error) {
	if state == "" {
		return k, nil
	}
	text, err := durable.ReadFile(fileIn(state), maxFile)
	if errors.Is(err, fs.ErrNotExist) {
		return k, nil
	}
	if err == nil {
		err = json.Unmarshal(text, &k)
	}
	if err == nil {
		err = k.check()
	}
	if err != nil {
		return kept{}, fmt.Errorf("web access: %s: %w; remove it, and set the password and the tokens anew", fileIn(state), err)
	}
	return k, nil
}

// check refuses what write cannot have written: half of it must not count.
func (k *kept) check() error {
	if k.PasswordHash != "" {
		if err := CheckHash(k.PasswordHash); err != nil {
			return err
		}
	}
	for i := range k.Tokens {
		t := &k.Tokens[i]
		_, err := ParseRole(t.Role)
		if sum, hexErr := hex.DecodeString(t.SHA256); err == nil && (hexErr != nil || len(sum) != 32) {
			err = errors.New("its sum is not of SHA-256")
		}
		if err != nil {
			return fmt.Errorf("token %q: %w", t.Name, err)
		}
	}
	return nil
}

// write replaces the credentials of a state folder.
func write(state string, k kept) error {
	if state == "" {
		return errors.New("web access: this agent has no state folder to keep it in: start it with --state DIR")
	}
	if err := durable.MakeFolder(filepath.Join(state, Folder)); err != nil {
		return fmt.Errorf("web access: %w", err)
	}
	text, err := json.MarshalIndent(k, "", "  ")
	if err == nil {
		err = durable.Replace(fileIn(state), append(text, '\n'))
	}
	if err != nil {
		return fmt.Errorf("web access: %w", err)
	}
	return nil
}
