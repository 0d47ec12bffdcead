package main

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"time"
)

// source is the folder with the project's source.
type source struct {
	root      string
	committed time.Time // of the commit; the time of every file that is made
	commit    string    // its hash; empty without git
	changed   bool      // the files differ from the commit
}

// openSource finds out what git knows of the source. Without git, as in an archive of the
// source, SOURCE_DATE_EPOCH is the time
// (https://reproducible-builds.org/specs/source-date-epoch/).
func openSource(root string) (source, error) {
	root, err := filepath.Abs(root)
	if err != nil {
		return source{}, err
	}
	if _, err := os.Stat(filepath.Join(root, "cmd", "pithings", "build.flags")); err != nil {
		return source{}, fmt.Errorf("%s is not the folder of the project's source: %w", root, err)
	}
	s := source{root: root}
	epoch := os.Getenv("SOURCE_DATE_EPOCH")
	if commit, err := s.git("rev-parse", "HEAD"); err == nil {
		s.commit = commit
		status, err := s.git("status", "--porcelain")
		if err != nil {
			return source{}, err
		}
		s.changed = status != ""
		if epoch == "" {
			if epoch, err = s.git("log", "-1", "--format=%ct"); err != nil {
				return source{}, err
			}
		}
	}
	if epoch == "" {
		return source{}, errors.New("the source is not in git; set SOURCE_DATE_EPOCH to the time of its last change, in seconds since 1970")
	}
	seconds, err := strconv.ParseInt(epoch, 10, 64)
	if err != nil || seconds < 0 {
		return source{}, fmt.Errorf("SOURCE_DATE_EPOCH=%q: not a number of seconds since 1970", epoch)
	}
	s.committed = time.Unix(seconds, 0).UTC()
	return s, nil
}

func (s source) git(args ...string) (string, error) {
	c := exec.Command("git", args...)
	c.Dir = s.root
	out, err := c.Output()
	if err != nil {
		var exit *exec.ExitError
		if errors.As(err, &exit) {
			err = fmt.Errorf("%w: %s", err, strings.TrimSpace(string(exit.Stderr)))
		}
		return "", fmt.Errorf("git %s: %w", args[0], err)
	}
	return strings.TrimSpace(string(out)), nil
}

// path is that of a file of the source, below its root, with slashes.
func (s source) path(name string) string { return filepath.Join(s.root, filepath.FromSlash(name)) }

// resolve is a path of a user's, who starts make in the root.
func (s source) resolve(path string) string {
	if filepath.IsAbs(path) {
		return path
	}
	return filepath.Join(s.root, path)
}

// files are those that match a pattern below the root. It is an error if there is none: a
// package that lacks a part must not be made.
func (s source) files(pattern string) ([]string, error) {
	names, err := filepath.Glob(s.path(pattern))
	if err == nil && len(names) == 0 {
		err = errors.New("no file of the source matches")
	}
	if err != nil {
		return nil, fmt.Errorf("%s: %w", pattern, err)
	}
	return names, nil
}

// build builds binaries into dist as make build-all does everywhere: for all systems, or
// for the targets that are named.
func (s source) build(version, dist string, targets ...string) error {
	args := []string{"-s", "build-all", "VERSION=" + version, "DIST=" + dist,
		"SOURCE_DATE_EPOCH=" + strconv.FormatInt(s.committed.Unix(), 10)}
	if len(targets) > 0 {
		args = append(args, "TARGETS="+strings.Join(targets, " "))
	}
	c := exec.Command("make", args...)
	c.Dir = s.root
	c.Stdout, c.Stderr = os.Stdout, os.Stderr
	if err := c.Run(); err != nil {
		return fmt.Errorf("make build-all: %w", err)
	}
	return nil
}
