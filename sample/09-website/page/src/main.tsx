import { createRoot } from 'react-dom/client';
import { App } from './app';
import { startSessions } from './sessions';
import './style.css';

const apiDomain = document.querySelector<HTMLMetaElement>('meta[name="api-domain"]')?.content ?? '';
startSessions(apiDomain);

const root = document.getElementById('root');
if (root !== null) createRoot(root).render(<App apiDomain={apiDomain} />);
