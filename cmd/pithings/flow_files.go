package main

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"github.com/spf13/cobra"

	"pithings/flowhost"
)

// writeFiles writes files to standard output, to the one file that out names by its
// ending, or into the folder out. A file that is there is not overwritten.
func writeFiles(c *cobra.Command, files []flowhost.File, out, ending string) error {
	if out == "" {
		for i, f := range files {
			if i > 0 {
				fmt.Fprintln(c.OutOrStdout())
			}
			if _, err := fmt.Fprint(c.OutOrStdout(), f.Text); err != nil {
				return err
			}
		}
		return nil
	}
	one := ending != "" && strings.HasSuffix(out, ending)
	if one && len(files) > 1 {
		return usagef("-o %s: there are %d files to write; name a folder", out, len(files))
	}
	for _, f := range files {
		path := out
		if !one {
			if err := os.MkdirAll(out, 0o755); err != nil {
				return err
			}
			path = filepath.Join(out, filepath.Base(f.Name))
		}
		if err := writeNew(path, f.Text); err != nil {
			return err
		}
		fmt.Fprintln(c.ErrOrStderr(), "pithings: wrote", path)
	}
	return nil
}

func writeNew(path, text string) error {
	f, err := os.OpenFile(path, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o644)
	if err != nil {
		return fmt.Errorf("%w; remove it, or choose another with -o", err)
	}
	_, err = f.WriteString(text)
	if closed := f.Close(); err == nil {
		err = closed
	}
	return err
}
