package alert

import "time"

// Alert is one set of labels for which a rule's condition holds, or held.
type Alert struct {
	Labels      map[string]string `json:"labels"`
	Annotations map[string]string `json:"annotations,omitempty"`
	Starts      time.Time         `json:"starts"`
	Ends        time.Time         `json:"ends,omitzero"` // zero: it goes on
	Value       float64           `json:"value"`
	Rule        string            `json:"rule"` // name
}
