import { loadMembers } from './load-members.js';

await loadMembers(import.meta.url);
