package api

import (
	"context"
	"time"

	"github.com/dropstack/dropstack/internal/fault"
)

// Links is what the control plane needs of the console.
type Links interface {
	// Link makes a link by which a browser signs in as the caller, once.
	Link(ctx context.Context) (url string, expires time.Time, err error)
}

// ConsoleLink is a link to the console that signs its caller in.
type ConsoleLink struct {
	URL     string    `json:"url" audit:"hidden"`
	Expires time.Time `json:"expires"`
}

func (c *Control) consoleLink(ctx context.Context, _ struct{}) (ConsoleLink, error) {
	if c.Console == nil {
		return ConsoleLink{}, fault.Errorf(fault.Unavailable, "this platform has no console")
	}
	url, expires, err := c.Console.Link(ctx)
	return ConsoleLink{url, expires}, err
}
