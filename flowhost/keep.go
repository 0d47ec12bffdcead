package flowhost

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"pithings/mqttlink/durable"
)

// keeper is the folder for what flows keep over restarts: their vars, for how long
// conditions have held, and executions that wait. There is one folder for each
// deployment, also for those of the configuration.
type keeper struct{ dir string }

// Bounds of what is read back.
const (
	maxKeptFile  = 1 << 20 // bytes; an execution with large answers
	maxKeptFiles = 1000    // of a deployment
)

const keptSuffix = ".json"

// Load implements engine.Keeper.
func (k keeper) Load(deployment string) (map[string][]byte, error) {
	dir := filepath.Join(k.dir, folder(deployment))
	entries, err := os.ReadDir(dir)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	all := map[string][]byte{}
	var problems []error
	for _, e := range entries {
		name, ok := strings.CutSuffix(e.Name(), keptSuffix)
		if !ok || len(all) == maxKeptFiles {
			continue
		}
		text, err := durable.ReadFile(filepath.Join(dir, e.Name()), maxKeptFile)
		if err != nil {
			problems = append(problems, err)
			continue
		}
		all[name] = text
	}
	return all, errors.Join(problems...)
}

// Save implements engine.Keeper.
func (k keeper) Save(deployment, name string, data []byte) error {
	dir := filepath.Join(k.dir, folder(deployment))
	path := filepath.Join(dir, name+keptSuffix)
	if data == nil {
		err := os.Remove(path)
		if errors.Is(err, fs.ErrNotExist) {
			return nil
		}
		return errors.Join(err, durable.SyncFolder(dir))
	}
	if len(data) > maxKeptFile {
		return fmt.Errorf("it has %d bytes, and may have %d", len(data), maxKeptFile)
	}
	if err := durable.MakeFolder(dir); err != nil {
		return err
	}
	return durable.Replace(path, data)
}

// waits returns which executions are kept because they wait.
func (k keeper) waits() func(id string) bool {
	var all [][]byte
	dirs, _ := os.ReadDir(k.dir) // without a folder nothing waits
	for _, d := range dirs {
		files, _ := filepath.Glob(filepath.Join(k.dir, d.Name(), "wait-*"+keptSuffix))
		for _, path := range files {
			if text, err := durable.ReadFile(path, maxKeptFile); err == nil {
				all = append(all, text)
			}
		}
	}
	return func(id string) bool {
		quoted, err := json.Marshal(id)
		return err == nil && slices.ContainsFunc(all, func(text []byte) bool { return bytes.Contains(text, quoted) })
	}
}

// remove forgets a deployment.
func (k keeper) remove(deployment string) error {
	return os.RemoveAll(filepath.Join(k.dir, folder(deployment)))
}
