import { defineConfig } from 'vite';

export default defineConfig({
  build: { outDir: '../../../build/sample/09-website/page', emptyOutDir: true },
});
