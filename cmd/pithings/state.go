package main

import (
	"fmt"
	"os"
	"path/filepath"
	"runtime"

	"github.com/spf13/pflag"

	"pithings/agent/config"
	"pithings/conf"
	"pithings/mqttlink/durable"
	"pithings/spool/state"
)

// stateDir returns the folder for pictures and queues, and makes it.
func stateDir(asked string) (string, error) {
	dir, err := usualStateDir(asked)
	if err != nil {
		return "", err
	}
	if err := durable.MakeFolder(dir); err != nil {
		return "", fmt.Errorf("state folder: %w; name another with --state DIR", err)
	}
	return dir, nil
}

// usualStateDir returns where the folder is: the one asked for, else systemd's, else
// the usual one of this user.
func usualStateDir(asked string) (string, error) {
	if asked != "" {
		return asked, nil
	}
	if dir := os.Getenv("STATE_DIRECTORY"); dir != "" {
		return dir, nil
	}
	if runtime.GOOS != "windows" && os.Geteuid() == 0 {
		return "/var/lib/pithings", nil
	}
	dir := os.Getenv("XDG_STATE_HOME")
	if dir == "" {
		home, err := os.UserHomeDir()
		if err != nil {
			return "", fmt.Errorf("no place for state: %w; name one with --state DIR", err)
		}
		dir = filepath.Join(home, ".local", "state")
	}
	return filepath.Join(dir, "pithings"), nil
}

// usualState is config.State for the configuration of an agent that is not simulated.
func usualState(c *config.Config) string {
	dir, err := usualStateDir(c.State)
	if err != nil {
		return "" // who makes the folder says so
	}
	return dir
}

// usualStateOf is usualState, but for a simulation that has no folder yet.
func usualStateOf(c *config.Config, mock bool) string {
	if c.State == "" && mock {
		return ""
	}
	return usualState(c)
}

// loadConfig reads a configuration as run would, but for settings from afar.
func loadConfig(file string, mock bool) (*config.Config, []conf.Warning, error) {
	state := func(c *config.Config) string { return usualStateOf(c, mock) }
	return config.LoadWith(file, os.Environ(), config.With{Mock: mock, State: state})
}

// singleState returns the folder of a command that runs one thing, or publishes by
// itself: the things of one host live side by side. What is simulated leaves nothing
// behind unless a folder is asked for.
func singleState(asked, name string, mock bool) (dir string, remove func(), err error) {
	if asked == "" && mock {
		dir, err = os.MkdirTemp("", "pithings-")
		return dir, func() { os.RemoveAll(dir) }, err
	}
	if asked == "" {
		if dir, err = stateDir(""); err != nil {
			return "", nil, err
		}
		asked = filepath.Join(dir, "single", state.FileName(name))
	}
	dir, err = stateDir(asked)
	return dir, func() {}, err
}

func addState(f *pflag.FlagSet, dir *string) {
	f.StringVar(dir, "state", "", "folder for pictures and queues (default $STATE_DIRECTORY, else /var/lib/pithings for root, else the user's state folder)")
}
