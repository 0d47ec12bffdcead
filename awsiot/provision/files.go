package provision

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"

	"pithings/mqttlink/certs"
	"pithings/mqttlink/durable"
)

// ErrThere is the error for what exists and is not overwritten.
var ErrThere = errors.New("it is not overwritten")

// Files is what an identity is made of, as the bytes of its files.
type Files struct {
	Key, Cert, CA []byte // PEM; CA may be nil
	About         About
	Config        []byte // pithings.yaml, if not nil
}

// ConfigFile is the configuration beside an identity.
const ConfigFile = "pithings.yaml"

// Write makes the folder of an identity, which must not be there: it appears as a whole, when its key
// fits its certificate. Both are written in the forms that all programs read, whatever they had. The
// error wraps ErrThere if the folder is there.
func Write(dir string, f Files) (err error) {
	if _, err := os.Lstat(dir); err == nil {
		return fmt.Errorf("%s is there, and %w: choose another name, or move it away", dir, ErrThere)
	}
	fresh := dir + ".new"
	if err := os.RemoveAll(fresh); err != nil { // of a run that was cut off
		return err
	}
	if err := durable.MakeFolder(fresh); err != nil {
		return err
	}
	defer func() {
		if err != nil {
			os.RemoveAll(fresh)
		}
	}()
	about, err := f.About.text()
	if err != nil {
		return err
	}
	for _, one := range []struct {
		name string
		data []byte
	}{{KeyFile, f.Key}, {CertFile, f.Cert}, {CAFile, f.CA}, {ConfigFile, f.Config}, {AboutFile, about}} {
		if one.data == nil {
			continue
		}
		if err := durable.Replace(filepath.Join(fresh, one.name), one.data); err != nil {
			return err
		}
	}
	if err := tidy(fresh, f); err != nil {
		return err
	}
	return publish(fresh, dir)
}

// tidy reads what has been written, and writes key and certificate again if their form is another
// than the usual one.
func tidy(dir string, f Files) error {
	d, err := Read(dir)
	if err != nil {
		return err
	}
	if f.CA != nil {
		if _, err := certs.ReadAuthorities(filepath.Join(dir, CAFile)); err != nil {
			return err
		}
	}
	key, err := EncodeKey(d.Pair.PrivateKey)
	if err != nil {
		return err
	}
	if cert := EncodeCert(d.Pair.Certificate...); !bytes.Equal(cert, f.Cert) {
		if err := durable.Replace(d.Cert(), cert); err != nil {
			return err
		}
	}
	if bytes.Equal(key, f.Key) {
		return nil
	}
	return durable.Replace(d.Key(), key)
}

// publish gives a finished folder its name.
func publish(fresh, dir string) error {
	if err := os.Rename(fresh, dir); err != nil {
		return err
	}
	return durable.SyncFolder(filepath.Dir(dir))
}

// text is identity.json.
func (a About) text() ([]byte, error) {
	text, err := json.MarshalIndent(a, "", "  ")
	return append(text, '\n'), err
}

// Erase overwrites a regular file and removes it. One that is not there is erased. It follows no link:
// root erases in the folder of a service, whose user could have put one there. A card's controller may
// keep a copy where no program reads it.
func Erase(path string) error {
	before, err := os.Lstat(path)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return nil
	case err != nil:
		return err
	case !before.Mode().IsRegular():
		return fmt.Errorf("%s is no regular file, and is left", path)
	}
	f, err := os.OpenFile(path, os.O_WRONLY, 0)
	if err != nil {
		return err
	}
	info, err := f.Stat()
	switch {
	case err == nil && !os.SameFile(before, info):
		err = fmt.Errorf("%s was replaced by another file, and is left", path)
	case err == nil:
		_, err = io.CopyN(f, zeros{}, info.Size())
		err = errors.Join(err, f.Sync())
	}
	if err = errors.Join(err, f.Close()); err != nil {
		return err
	}
	if err := os.Remove(path); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	return durable.SyncFolder(filepath.Dir(path))
}

// zeros is a reader without an end.
type zeros struct{}

func (zeros) Read(b []byte) (int, error) {
	clear(b)
	return len(b), nil
}
