package pattern

// Input says what a target gets in place of the event it was chosen for; at most
// one member is set, and none is the event as it is.
type Input struct {
	Text        string       `json:"text,omitempty"`        // constant JSON
	Path        string       `json:"path,omitempty"`        // JSONPath of the part of the event
	Transformer *Transformer `json:"transformer,omitempty"` // a text made of parts of the event
}

// Transformer is EventBridge's InputTransformer.
type Transformer struct {
	Paths    map[string]string `json:"paths,omitempty"` // JSONPaths by the name that the template has for them
	Template string            `json:"template"`        // with <name> where a part goes
}
