package main

import (
	"errors"
	"fmt"
	"io"
	"strings"

	"pithings/conf"
)

// letters are the flags of a connection that have a letter, by their long names.
type letters map[string]string

// seedLetters are those of the Things Graph example devices and of the BME680
// tutorial's scripts.
var seedLetters = letters{"endpoint": "e", "ca": "r", "cert": "c", "key": "k", "port": "p", "host": "h"}

// mosquittoLetters are the letters that both programs have, and we for both.
var mosquittoLetters = letters{"endpoint": "e", "host": "h", "port": "p", "username": "u", "pw": "P", "client-id": "i"}

// with returns the letters with another one.
func (l letters) with(name, letter string) letters {
	more := letters{name: letter}
	for n, x := range l {
		more[n] = x
	}
	return more
}

// setting is one key of a configuration's mqtt section that a flag gives.
type setting struct{ key, value, flag string }

// variable is the environment variable that says the same.
func (s setting) variable() string {
	return "PITHINGS_MQTT_" + strings.ToUpper(strings.ReplaceAll(s.key, ".", "_"))
}

// warn prints warnings under the names of the flags that have caused them.
func warn(w io.Writer, warnings []conf.Warning, flags map[string]string) {
	for _, one := range warnings {
		if flag, ok := flags[one.Source]; ok {
			one.Source = flag
		}
		fmt.Fprintln(w, "pithings: warning:", one)
	}
}

// blameFlags names the flags in problems that they have caused: those make a wrong
// command line of it.
func blameFlags(err error, flags map[string]string) error {
	var problems *conf.Error
	if !errors.As(err, &problems) {
		return err
	}
	for i, p := range problems.Problems {
		if flag, ok := flags[p.Source]; ok {
			problems.Problems[i].Source = flag
			err = usageError{problems}
		}
	}
	return err
}
