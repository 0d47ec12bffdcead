package main

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"

	"github.com/spf13/cobra"
	"golang.org/x/term"

	"pithings/mqttlink/broker/passwd"
)

func newHashPassword() *cobra.Command {
	return &cobra.Command{
		Use:   "hash-password",
		Short: "Print the hash of a password, for a user of the embedded broker",
		Long: `Print the hash of a password, for broker.users in the configuration:

  users:
    - name: hall
      password_hash: HASH

The password is asked for twice on a terminal, and not shown; else it is the first
line of the standard input. Hashes by mosquitto_passwd 2 can be used, too.`,
		Example: `  pithings hash-password
  pithings hash-password < password.txt > hall.hash     # for password_file: hall.hash`,
		Args: cobra.NoArgs,
		RunE: func(c *cobra.Command, _ []string) error {
			password, err := askPassword(c.InOrStdin(), c.ErrOrStderr())
			if err != nil {
				return err
			}
			hash, err := passwd.New(password)
			if err != nil {
				return err
			}
			_, err = fmt.Fprintln(c.OutOrStdout(), hash)
			return err
		},
	}
}

// askPassword reads a password from a terminal, without echo, or the first line of
// anything else.
func askPassword(in io.Reader, out io.Writer) (string, error) {
	f, ok := in.(*os.File)
	if !ok || !term.IsTerminal(int(f.Fd())) {
		return readPasswordLine(in)
	}
	var both [2]string
	for i, prompt := range []string{"Password: ", "Again: "} {
		fmt.Fprint(out, prompt)
		b, err := term.ReadPassword(int(f.Fd()))
		fmt.Fprintln(out)
		if err != nil {
			return "", err
		}
		both[i] = string(b)
	}
	if both[0] != both[1] {
		return "", errors.New("the two passwords differ")
	}
	return both[0], nil
}

// readPasswordLine reads a password from the first line.
func readPasswordLine(in io.Reader) (string, error) {
	line, err := bufio.NewReader(io.LimitReader(in, passwd.MaxPassword+2)).ReadString('\n')
	if err != nil && err != io.EOF {
		return "", err
	}
	return strings.TrimRight(line, "\r\n"), nil
}
