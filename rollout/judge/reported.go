package judge

import "github.com/fairlead/fairlead"

// Late takes reports that came after the cells of their requests were complete.
func (j *Judge) Late(reports []fairlead.LateReport) {
	_ = reports
}
