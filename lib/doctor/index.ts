// The doctor
export { diagnose, type DiagnoseOptions, type Diagnosis } from './diagnose.js';
export { formatDiagnosis } from './report.js';
export { FINDING_CODES, type Finding, type FindingCode, type GoodFinding, type Problem } from './finding.js';
export type { SignInRequest } from './sign-in-request.js';
