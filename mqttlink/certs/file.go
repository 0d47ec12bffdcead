package certs

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"pithings/mqttlink/durable"
)

// A certificate file is a few kilobytes; the system's bundle a quarter of a
// megabyte. More than this is the wrong file.
const (
	maxFile  = 4 << 20
	maxFiles = 1000 // in a folder of authorities
)

// readFile reads a file of bounded size, and nothing but a file: a named pipe
// would hold up every attempt to connect.
func readFile(path string) ([]byte, error) {
	return durable.ReadFile(path, maxFile)
}

// filesIn lists the regular files of a folder that may hold certificates.
func filesIn(dir string) ([]string, error) {
	entries, err := os.ReadDir(dir)
	if err != nil {
		return nil, err
	}
	var files []string
	for _, e := range entries {
		switch strings.ToLower(filepath.Ext(e.Name())) {
		case ".pem", ".crt", ".cer", ".ca", ".0", ".der":
		default:
			continue
		}
		path := filepath.Join(dir, e.Name())
		if info, err := os.Stat(path); err != nil || !info.Mode().IsRegular() { // follows links, as certificate folders need
			continue
		}
		if files = append(files, path); len(files) > maxFiles {
			return nil, fmt.Errorf("more than %d files", maxFiles)
		}
	}
	return files, nil
}
