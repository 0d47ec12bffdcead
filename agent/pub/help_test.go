package pub

import (
	"bufio"
	"context"
	"errors"
	"net"
	"strings"
)

func bufioReader(text string) *bufio.Reader { return bufio.NewReader(strings.NewReader(text)) }

// refuse is a network without a broker.
func refuse(context.Context, string, string) (net.Conn, error) { return nil, errors.New("no network") }
