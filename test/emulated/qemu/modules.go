package qemu

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
)

// Modules lists the files of the modules called names and of all that they
// depend on, in the order of loading. dir is a folder with modules.dep, as
// depmod writes it. What is built into the kernel is left out.
func Modules(dir string, names ...string) ([]string, error) {
	deps, err := os.ReadFile(filepath.Join(dir, "modules.dep"))
	if err != nil {
		return nil, err
	}
	builtin, err := os.ReadFile(filepath.Join(dir, "modules.builtin"))
	if err != nil {
		return nil, err
	}
	needs := map[string][]string{} // files by module name, the module's own last
	for line := range strings.Lines(string(deps)) {
		file, rest, _ := strings.Cut(strings.TrimSpace(line), ":")
		list := append([]string{file}, strings.Fields(rest)...)
		slices.Reverse(list) // modules.dep has what is loaded first at the end
		needs[moduleName(file)] = list
	}
	inside := map[string]bool{}
	for line := range strings.Lines(string(builtin)) {
		inside[moduleName(strings.TrimSpace(line))] = true
	}
	var files []string
	for _, name := range names {
		list, ok := needs[moduleName(name)]
		if !ok && !inside[moduleName(name)] {
			return nil, fmt.Errorf("%s: no module %s", dir, name)
		}
		for _, f := range list {
			if f = filepath.Join(dir, f); !slices.Contains(files, f) {
				files = append(files, f)
			}
		}
	}
	return files, nil
}

// moduleName is the name that the kernel has for a module's file.
func moduleName(file string) string {
	return strings.ReplaceAll(strings.TrimSuffix(filepath.Base(file), ".ko"), "-", "_")
}
