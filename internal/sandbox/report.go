package sandbox

// Control is one thing that keeps functions in their place.
type Control struct {
	Name   string `json:"name"`
	On     bool   `json:"on"`
	Limit  string `json:"limit,omitempty"`  // hard, soft (looked at now and then) or none; of limits
	Reason string `json:"reason,omitempty"` // why it is off, with the kernel's error; or what weakens it
	Advice string `json:"advice,omitempty"` // what to install or enable
}

// Report is what this machine can do, as tried out.
type Report struct {
	Level    string    `json:"level"`
	Controls []Control `json:"controls"`
	// Missing tells, by level, why a stronger one is not to be had.
	Missing map[string]string `json:"missing,omitempty"`
}

// levels from the weakest.
var levels = []string{None, Confine, Userns, Full}

// Rank orders levels; -1 is none of them.
func Rank(level string) int {
	for i, l := range levels {
		if l == level {
			return i
		}
	}
	return -1
}
