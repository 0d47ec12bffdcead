package main

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"
	"time"

	"github.com/ProtonMail/go-crypto/openpgp"
	"github.com/ProtonMail/go-crypto/openpgp/armor"
	"github.com/ProtonMail/go-crypto/openpgp/clearsign"
	"github.com/ProtonMail/go-crypto/openpgp/packet"
)

// signer signs with the key of releases.
type signer struct {
	entity *openpgp.Entity
	key    *packet.PrivateKey // the one of entity's keys that signs
}

// takeKey takes what signs out of the environment, before git and make are started: a build
// runs programs of others, which need no key. make repeats in MAKEFLAGS the variables of its
// command line.
func takeKey() (key, passphrase string, err error) {
	key, passphrase = os.Getenv("RELEASE_KEY"), os.Getenv("RELEASE_KEY_PASSPHRASE")
	for _, name := range []string{"RELEASE_KEY", "RELEASE_KEY_PASSPHRASE", "MAKEFLAGS"} {
		err = errors.Join(err, os.Unsetenv(name))
	}
	return key, passphrase, err
}

// readSigner reads an armored private key: RELEASE_KEY is it or the file that has it.
func readSigner(from source, value, passphrase string) (*signer, error) {
	if !strings.Contains(value, "-----BEGIN PGP") {
		text, err := os.ReadFile(from.resolve(value))
		if err != nil {
			return nil, fmt.Errorf("RELEASE_KEY: not an armored private key, and no file: %w", err)
		}
		value = string(text)
	}
	list, err := openpgp.ReadArmoredKeyRing(strings.NewReader(value))
	if err != nil {
		return nil, fmt.Errorf("RELEASE_KEY: %w", err)
	}
	if len(list) != 1 {
		return nil, fmt.Errorf("RELEASE_KEY: has %d keys, not one", len(list))
	}
	e := list[0]
	if e.PrivateKey == nil {
		return nil, errors.New("RELEASE_KEY: is a public key; export the private one with: gpg --armor --export-secret-keys")
	}
	key, ok := e.SigningKey(time.Now())
	if !ok || key.PrivateKey == nil {
		return nil, errors.New("RELEASE_KEY: has no key that may sign today; look for its dates and uses with: gpg --list-keys")
	}
	// A primary key that is kept elsewhere is a stub, which is not needed.
	if key.PrivateKey.Encrypted {
		if passphrase == "" {
			return nil, errors.New("RELEASE_KEY: is encrypted; set RELEASE_KEY_PASSPHRASE")
		}
		if err := key.PrivateKey.Decrypt([]byte(passphrase)); err != nil {
			return nil, fmt.Errorf("RELEASE_KEY: RELEASE_KEY_PASSPHRASE is wrong: %w", err)
		}
	}
	return &signer{entity: e, key: key.PrivateKey}, nil
}

// detached is a signature of text, to be put beside it.
func (s *signer) detached(text []byte) ([]byte, error) {
	var b bytes.Buffer
	if err := openpgp.ArmoredDetachSign(&b, s.entity, bytes.NewReader(text), nil); err != nil {
		return nil, fmt.Errorf("sign: %w", err)
	}
	b.WriteByte('\n')
	return b.Bytes(), nil
}

// inline is text with its signature around it.
func (s *signer) inline(text []byte) ([]byte, error) {
	var b bytes.Buffer
	w, err := clearsign.Encode(&b, s.key, nil)
	if err != nil {
		return nil, fmt.Errorf("sign: %w", err)
	}
	if _, err := w.Write(text); err != nil {
		return nil, fmt.Errorf("sign: %w", err)
	}
	if err := w.Close(); err != nil {
		return nil, fmt.Errorf("sign: %w", err)
	}
	b.WriteByte('\n')
	return b.Bytes(), nil
}

// public is the public key, armored: what apt and gpg verify with.
func (s *signer) public() ([]byte, error) {
	var b bytes.Buffer
	w, err := armor.Encode(&b, openpgp.PublicKeyType, nil)
	if err != nil {
		return nil, err
	}
	if err := errors.Join(s.entity.Serialize(w), w.Close()); err != nil {
		return nil, fmt.Errorf("public key: %w", err)
	}
	_, err = io.WriteString(&b, "\n")
	return b.Bytes(), err
}
