package flowhost

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"time"

	"pithings/mqttlink/durable"
)

// Bounds of what is kept.
const (
	MaxDeployments = 20_000
	MaxRevisions   = 100      // of a deployment; the oldest go first
	maxSnapshot    = 4 << 20  // bytes of the files of a deployment
	maxKept        = 32 << 20 // bytes of a deployment's revisions together, but for the newest
)

// Snapshot is a deployment as it was deployed.
type Snapshot struct {
	Name     string    `json:"name"`
	Revision int       `json:"revision"`
	Deployed time.Time `json:"deployed"`
	// Of is which deployment of the files it is; "" is the only one.
	Of      string  `json:"of,omitempty"`
	Options Options `json:"options"`
	Files   []File  `json:"files"`
}

// File is a file as it was read.
type File struct {
	Name string `json:"name"` // for messages
	Text string `json:"text"`
}

// Options are what a deployment is deployed with, over what its files say.
type Options struct {
	Name    string            `json:"name,omitempty"`    // instead of its own
	Things  map[string]string `json:"things,omitempty"`  // by role
	Carrier string            `json:"carrier,omitempty"` // of all roles: auto, local or broker
	Shared  string            `json:"shared,omitempty"`  // the group
	// Services are URLs of one's own for web services that ran at AWS, by URN or name.
	Services map[string]string `json:"services,omitempty"`
}

// state is a deployment's file "status".
type state struct {
	Name     string    `json:"name"`
	Status   Status    `json:"status"`
	Revision int       `json:"revision"` // active, or to be
	Reason   string    `json:"reason,omitempty"`
	Since    time.Time `json:"since"`
}

// store is the folder with the deployments.
type store struct{ dir string }

const statusFile = "status"

// states reads the state of every deployment, by name. What cannot be read is reported to fail
// and left alone.
func (s store) states(fail func(path string, err error)) (map[string]*state, error) {
	entries, err := os.ReadDir(s.dir)
	if errors.Is(err, fs.ErrNotExist) {
		return map[string]*state{}, nil
	}
	if err != nil {
		return nil, fmt.Errorf("flows: %w", err)
	}
	all := map[string]*state{}
	for _, e := range entries {
		if !e.IsDir() {
			continue
		}
		path := filepath.Join(s.dir, e.Name(), statusFile)
		var one state
		switch err := readJSON(path, &one); {
		case errors.Is(err, fs.ErrNotExist): // a deployment that was never complete, or is half deleted
			if err := os.RemoveAll(filepath.Join(s.dir, e.Name())); err != nil {
				fail(path, err)
			}
		case err != nil:
			fail(path, err)
		case folder(one.Name) != e.Name():
			fail(path, fmt.Errorf("it is that of %q", one.Name))
		default:
			all[one.Name] = &one
		}
	}
	return all, nil
}

// put keeps the state of a deployment.
func (s store) put(one *state) error {
	one.Since = time.Now().UTC()
	return s.write(one.Name, statusFile, one)
}

// add keeps a new revision. It counts only once the state names it.
func (s store) add(snapshot *Snapshot) error {
	return s.write(snapshot.Name, revisionFile(snapshot.Revision), snapshot)
}

// revision reads one.
func (s store) revision(name string, revision int) (*Snapshot, error) {
	var one Snapshot
	err := readJSON(filepath.Join(s.dir, folder(name), revisionFile(revision)), &one)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, fmt.Errorf("%s has no revision %d; the newest %d are kept", name, revision, MaxRevisions)
	}
	if err != nil {
		return nil, fmt.Errorf("revision %d of %s: %w", revision, name, err)
	}
	return &one, nil
}

// revisions lists those that are kept, the oldest first.
func (s store) revisions(name string) ([]int, error) {
	entries, err := os.ReadDir(filepath.Join(s.dir, folder(name)))
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return nil, fmt.Errorf("flows: %w", err)
	}
	var all []int
	for _, e := range entries {
		text, ok := strings.CutSuffix(e.Name(), ".json")
		if n, err := strconv.Atoi(text); ok && err == nil && n > 0 {
			all = append(all, n)
		}
	}
	slices.Sort(all)
	return all, nil
}

// prune removes revisions that are too many, but never the active one.
func (s store) prune(name string, inForce int) error {
	all, err := s.revisions(name)
	if err != nil {
		return err
	}
	var kept int
	var bytes int64
	for _, n := range slices.Backward(all) {
		path := filepath.Join(s.dir, folder(name), revisionFile(n))
		if info, err := os.Stat(path); err == nil {
			bytes += info.Size()
		}
		if kept++; n == inForce || kept <= MaxRevisions && bytes <= maxKept {
			continue
		}
		if err := os.Remove(path); err != nil {
			return fmt.Errorf("flows: %w", err)
		}
	}
	return nil
}

// drop removes a revision that did not come into force.
func (s store) drop(name string, revision int) error {
	return os.Remove(filepath.Join(s.dir, folder(name), revisionFile(revision)))
}

// remove removes a deployment with all its revisions. The state goes last, so that
// an interrupted deletion continues.
func (s store) remove(name string) error {
	all, err := s.revisions(name)
	if err != nil {
		return err
	}
	dir := filepath.Join(s.dir, folder(name))
	for _, n := range all {
		if err := os.Remove(filepath.Join(dir, revisionFile(n))); err != nil {
			return fmt.Errorf("flows: %w", err)
		}
	}
	if err := os.RemoveAll(dir); err != nil {
		return fmt.Errorf("flows: %w", err)
	}
	return durable.SyncFolder(s.dir)
}

func revisionFile(n int) string { return fmt.Sprintf("%08d.json", n) }

// write replaces a file so that a power cut leaves the old or the new one.
func (s store) write(name, file string, v any) (err error) {
	defer func() {
		if err != nil {
			err = fmt.Errorf("flows: %w", err)
		}
	}()
	text, err := json.MarshalIndent(v, "", "  ")
	if err != nil {
		return err
	}
	dir := filepath.Join(s.dir, folder(name))
	if err := durable.MakeFolder(dir); err != nil {
		return err
	}
	return durable.Replace(filepath.Join(dir, file), append(text, '\n'))
}

func readJSON(path string, into any) error {
	f, err := os.Open(path)
	if err != nil {
		return err
	}
	defer f.Close()
	info, err := f.Stat()
	if err != nil {
		return err
	}
	if info.Size() > 8*maxSnapshot { // JSON writes some characters as six
		return fmt.Errorf("%s: %d bytes are too many", path, info.Size())
	}
	return json.NewDecoder(f).Decode(into)
}

// folder is the name of a deployment's folder: all but letters, digits, - and _
// become %XX.
func folder(name string) string {
	var b strings.Builder
	for i := range len(name) {
		c := name[i]
		if c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' || c >= '0' && c <= '9' || c == '-' || c == '_' {
			b.WriteByte(c)
		} else {
			fmt.Fprintf(&b, "%%%02X", c)
		}
	}
	return b.String()
}

// maxFolder is the longest name of a folder; file systems take 255 bytes.
const maxFolder = 240

// checkName refuses names that cannot be kept.
func checkName(name string) error {
	switch {
	case name == "":
		return errors.New("the deployment has no name; give it one with --name")
	case len(folder(name)) > maxFolder:
		return fmt.Errorf("the name %.40q… is too long; give a shorter one with --name", name)
	}
	return nil
}
