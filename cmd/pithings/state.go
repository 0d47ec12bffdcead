package main

import (
	"fmt"
	"os"
	"path/filepath"
	"runtime"
)

// stateDir returns the folder for pictures and queues, and makes it: the one
// asked for, else systemd's, else the usual one of this user.
func stateDir(asked string) (string, error) {
	dir := asked
	if dir == "" {
		dir = os.Getenv("STATE_DIRECTORY")
	}
	if dir == "" && runtime.GOOS != "windows" && os.Geteuid() == 0 {
		dir = "/var/lib/pithings"
	}
	if dir == "" {
		dir = os.Getenv("XDG_STATE_HOME")
		if dir == "" {
			home, err := os.UserHomeDir()
			if err != nil {
				return "", fmt.Errorf("no place for state: %w; name one with --state DIR", err)
			}
			dir = filepath.Join(home, ".local", "state")
		}
		dir = filepath.Join(dir, "pithings")
	}
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return "", fmt.Errorf("state folder: %w; name another with --state DIR", err)
	}
	return dir, nil
}
