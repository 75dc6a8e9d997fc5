package deploy

import (
	"fmt"

	"github.com/dropstack/dropstack/internal/logs/ingest"
	"github.com/dropstack/dropstack/internal/spec"
)

func logSource(s spec.LogSource) ingest.Source {
	return ingest.Source{Bucket: s.Bucket, Prefix: s.Prefix, Format: s.Format, Group: s.Group}
}

// logSources asks what the entries of custom.dropstack.logs mean, one after the other.
func (c *checker) logSources() {
	var good []ingest.Source
	for _, s := range c.svc.LogSources {
		all := append(good[:len(good):len(good)], logSource(s))
		if err := ingest.Check(all); err != nil {
			c.report(s.Pos, "%v", err)
			continue
		}
		good = all
	}
}

// imports has the logs of next imported.
func (d *Deployer) imports(next *Revision) error {
	if d.Rooms.LogSources == nil {
		return nil
	}
	if err := d.Rooms.LogSources.Replace(next.Stack, next.LogSources); err != nil {
		return fmt.Errorf("log sources: %w", err)
	}
	return nil
}
