package pub

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"io"

	"pithings/mqttlink"
)

// One returns the input of a single message.
func One(m mqttlink.Message) func() ([]mqttlink.Message, error) {
	done := false
	return func() ([]mqttlink.Message, error) {
		if done {
			return nil, nil
		}
		done = true
		return []mqttlink.Message{m}, nil
	}
}

// MaxLine is the longest line that Lines takes, in bytes.
const MaxLine = 16 << 20

// Lines returns the input that makes a message like m of each line of r. What has
// come at once is handed over at once.
func Lines(r io.Reader, m mqttlink.Message) func() ([]mqttlink.Message, error) {
	return batches(r, MaxLine, func(line []byte) (mqttlink.Message, error) {
		one := m
		one.Payload = line
		return one, nil
	})
}

// Parsed returns the input that reads each line of r, a queue.Line, with parse. Blank
// lines are passed over.
func Parsed(r io.Reader, parse func(line []byte) (mqttlink.Message, error)) func() ([]mqttlink.Message, error) {
	return batches(r, maxLine, func(line []byte) (mqttlink.Message, error) {
		if len(bytes.TrimSpace(line)) == 0 {
			return mqttlink.Message{}, errBlank
		}
		return parse(line)
	})
}

// errBlank says that a line is no message, and nothing is wrong with it.
var errBlank = errors.New("a blank line")

func batches(r io.Reader, limit int, parse func(line []byte) (mqttlink.Message, error)) func() ([]mqttlink.Message, error) {
	in := bufio.NewReaderSize(r, 64<<10)
	n := 0
	return func() (ms []mqttlink.Message, err error) {
		for size := 0; ; {
			n++
			line, err := readLine(in, limit)
			switch {
			case err == io.EOF:
				return ms, nil
			case errors.Is(err, errLineTooLong):
				return ms, fmt.Errorf("line %d is longer than %d MiB: it and those behind it are not published", n, limit>>20)
			case err != nil:
				return ms, fmt.Errorf("input: %w", err)
			}
			m, err := parse(line)
			if err == nil {
				ms = append(ms, m)
			} else if err != errBlank {
				return ms, fmt.Errorf("line %d: %w", n, err)
			}
			if size += len(line); len(ms) > 0 && (len(ms) >= batchCount || size >= batchBytes || !anotherLine(in)) {
				return ms, nil
			}
		}
	}
}
