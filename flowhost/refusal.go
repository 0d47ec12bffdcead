package flowhost

import (
	"fmt"
	"net/http"

	"pithings/api"
)

// refusal is an error that the caller can mend.
type refusal struct{ error }

// Unwrap lets the control socket answer with a status.
func (r refusal) Unwrap() []error { return []error{r.error, api.Status(http.StatusConflict)} }

func refuse(format string, args ...any) error { return refusal{fmt.Errorf(format, args...)} }
