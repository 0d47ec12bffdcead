package provision

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"

	"pithings/mqttlink/durable"
)

// journal is how far a provisioning has come. It is in one file, so that a cut leaves the old or
// the new state.
type journal struct {
	Template string `json:"template"`
	// AWSMakesKey says that the key comes from AWS.
	AWSMakesKey bool `json:"awsMakesKey,omitempty"`
	// The certificate and the token of it, from the answer to the first request on.
	ID    string `json:"certificateId,omitempty"`
	PEM   string `json:"certificatePem,omitempty"`
	Token string `json:"certificateOwnershipToken,omitempty"`
	// Claim are the files to erase at the end.
	Claim []string `json:"claim,omitempty"`
}

const journalFile = "journal.json"

// maxJournal is the largest that is read, in bytes.
const maxJournal = 512 << 10

// disk is where a provisioning keeps what it knows. Tests let it fail at any call.
type disk interface {
	Replace(name string, data []byte) error
	Rename(from, to string) error
	Erase(name string) error
}

// realDisk is the machine's.
type realDisk struct{}

func (realDisk) Replace(name string, data []byte) error { return durable.Replace(name, data) }
func (realDisk) Rename(from, to string) error           { return publish(from, to) }
func (realDisk) Erase(name string) error                { return Erase(name) }

// readJournal returns the journal in a folder; one that is not there, or damaged, is a new one:
// what it held can be had again.
func readJournal(dir string) (j journal, err error) {
	text, err := durable.ReadFile(filepath.Join(dir, journalFile), maxJournal)
	if errors.Is(err, fs.ErrNotExist) {
		return j, nil
	}
	if err != nil {
		return j, fmt.Errorf("provisioning: %w", err)
	}
	if json.Unmarshal(text, &j) != nil {
		return journal{}, nil
	}
	return j, nil
}

// save writes the journal.
func (p *Provisioner) save() error {
	text, err := json.Marshal(p.journal)
	if err != nil {
		return err
	}
	return p.disk.Replace(p.path(journalFile), append(text, '\n'))
}

// path is a file of the identity that is being made.
func (p *Provisioner) path(name string) string { return filepath.Join(p.state, Pending, name) }

// lock takes the lock of a state folder's identity, which ends with the process.
func lock(state string) (*os.File, error) {
	if err := durable.MakeFolder(state); err != nil {
		return nil, fmt.Errorf("state folder: %w; name another with --state DIR", err)
	}
	f, err := durable.OpenFile(filepath.Join(state, Lock), os.O_CREATE|os.O_RDWR, 0o600)
	if err != nil {
		return nil, fmt.Errorf("state folder: %w; use sudo, or name another with --state DIR", err)
	}
	ok, err := durable.TryLock(f)
	if err == nil && !ok {
		err = fmt.Errorf("another pithings provision works in %s: wait for its end", state)
	}
	if err != nil {
		f.Close()
		return nil, err
	}
	return f, nil
}
