package policy

import "sync"

// Cache remembers how texts were parsed, for policies that are kept as text and asked
// with every request. It is safe for concurrent use; the zero Cache is ready.
type Cache struct {
	mu     sync.Mutex
	parsed map[cached]Document
}

type cached struct {
	kind Kind
	text string
}

// maxCached bounds what is remembered; then it begins anew.
const maxCached = 1024

// Parse is the package's Parse, faster for a text that it was given before.
func (c *Cache) Parse(kind Kind, text string) (Document, error) {
	key := cached{kind, text}
	c.mu.Lock()
	document, ok := c.parsed[key]
	c.mu.Unlock()
	if ok {
		return document, nil
	}
	document, err := Parse(kind, text)
	if err != nil {
		return document, err
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.parsed == nil || len(c.parsed) >= maxCached {
		c.parsed = map[cached]Document{}
	}
	c.parsed[key] = document
	return document, nil
}
