package scenario

import (
	"embed"
	"path"
	"strings"
)

//go:embed ready/*.yaml
var ready embed.FS

// Ready are the names of the scenarios that are built in.
func Ready() (names []string) {
	entries, _ := ready.ReadDir("ready") // it is part of the program
	for _, e := range entries {
		names = append(names, strings.TrimSuffix(e.Name(), ".yaml"))
	}
	return names
}

// Text returns the text of one that is built in; false: there is none of that name.
func Text(name string) ([]byte, bool) {
	if strings.ContainsAny(name, `/\`) {
		return nil, false
	}
	text, err := ready.ReadFile(path.Join("ready", name+".yaml"))
	return text, err == nil
}
